//! Lists that leave out what is there.

use super::*;

/// Reads a part whose list leaves some out that the provider has. Answers with what is missing and what is doubted.
fn contradicted(world: &mut World, part: &Part, listed: impl Fn(usize) -> bool) -> (usize, Doubt) {
    world.absence.begin(part);
    let listed: Vec<usize> = (0..world.devices()).filter(|number| listed(*number)).collect();
    world.list(part, listed);
    let missing = world.absence.missing(part, Ends::All, &world.inventory);
    let mut present = missing.unlisted;
    if missing.removal != Removal::Frozen {
        present.extend(&missing.rows);
    }
    let answers = PointReads { present, ..PointReads::default() };
    assert_eq!(world.absence.point_reads(part, &answers, &world.inventory), []);
    let outcome = world.absence.end(part, Proof::Complete, &world.inventory).unwrap();
    (usize::try_from(outcome.missing).unwrap(), world.absence.doubt(world.scope))
}

#[test]
fn what_a_list_leaves_out_twice_and_is_there_is_doubt_and_not_loss() {
    let mut world = World::with(100);
    let part = world.part(Some(Kind::Device));
    let doubt = |found, confirmed| Doubt { found, confirmed };
    let two = |number| number > 1;
    assert_eq!(contradicted(&mut world, &part, two), (0, doubt(2, 0)), "a list may change");
    assert_eq!(contradicted(&mut world, &part, two), (0, doubt(2, 2)));
    assert_eq!(contradicted(&mut world, &part, two), (0, doubt(2, 2)));
    assert_eq!(contradicted(&mut world, &part, |number| number > 0), (0, doubt(1, 1)));
    assert_eq!(contradicted(&mut world, &part, |_| true), (0, doubt(0, 0)));
    assert_eq!(contradicted(&mut world, &part, two), (0, doubt(2, 0)), "it begins again");
    let row = world.row(Kind::Device, 0);
    world.absence.forget(&[row]);
    assert_eq!(world.absence.doubt(world.scope), doubt(1, 0));
}

#[test]
fn so_many_that_the_guard_froze_are_doubted_as_soon_as_they_are_found() {
    let mut world = World::with(2);
    let part = world.part(Some(Kind::Device));
    let none = |_| false;
    assert_eq!(contradicted(&mut world, &part, none), (2, Doubt::default()), "frozen");
    assert!(world.absence.is_frozen(world.scope));
    let both = Doubt { found: 2, confirmed: 2 };
    for _ in 0..4 {
        assert_eq!(contradicted(&mut world, &part, none), (0, both));
        assert!(!world.absence.is_frozen(world.scope), "it is not the certificates that changed");
    }
}

#[test]
fn what_is_not_there_any_more_is_no_doubt_and_goes_the_usual_way() {
    let mut world = World::with(30);
    let part = world.part(Some(Kind::Device));
    let one = |number| number > 0;
    for _ in 0..2 {
        contradicted(&mut world, &part, one);
    }
    let row = world.row(Kind::Device, 0);
    world.absence.begin(&part);
    world.list(&part, 1..30);
    let Missing { rows, unlisted, .. } = world.absence.missing(&part, Ends::All, &world.inventory);
    assert_eq!((rows, unlisted), (vec![], vec![row]), "it is asked for all the same");
    let absent = PointReads { absent: vec![row], ..PointReads::default() };
    assert_eq!(world.absence.point_reads(&part, &absent, &world.inventory), []);
    assert_eq!(world.absence.doubt(world.scope), Doubt::default());
    assert!(world.absence.holds_back(row), "nothing is said of it until it is gone or there");
    assert!(world.absence.release() && !world.absence.release());
    assert_eq!(world.all(|number| number > 0).missing, [row]);
    assert_eq!(world.absence.point_reads(&part, &absent, &world.inventory), [row]);
}

#[test]
fn a_loss_that_two_scans_agree_about_is_kept_to_be_told_once() {
    let mut world = World::with(100);
    assert!(world.all(|number| number >= 50).frozen);
    assert_eq!(world.absence.take_accepted(world.scope), None);
    assert!(!world.all(|number| number >= 50).frozen);
    let accepted = Some(Accepted { known: 100, missing: 50 });
    assert_eq!(world.absence.take_accepted(world.scope), accepted);
    assert_eq!(world.absence.take_accepted(world.scope), None);
}
