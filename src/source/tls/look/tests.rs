use super::super::testing::{Authority, leaf};
use super::*;
use crate::expiry::InvalidReason;

fn facts(serial: &str) -> Facts {
    let der = Authority::root("Root").sign(leaf(&["a.example"])).0;
    let facts = x509::facts(&der).unwrap().0;
    Facts { serial: serial.to_owned(), ..facts }
}

fn chain(certificates: &[&Facts], problems: &[(InvalidReason, &str)]) -> Chain {
    Chain {
        certificates: certificates.iter().map(|one| (*one).clone()).collect(),
        broken: Vec::new(),
        problems: problems.iter().map(|(fault, text)| (*fault, (*text).to_owned())).collect(),
    }
}

fn failure(text: &str, no_route: bool) -> Failure {
    Failure { text: text.to_owned(), no_route }
}

fn ip(last: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, last])
}

#[test]
fn addresses_that_agree_are_one_and_those_that_differ_are_one_state_with_shares() {
    let (old, new, authority) = (facts("old"), facts("new"), facts("ca"));
    let expired = (InvalidReason::Expired, "expired");
    let served = |serving: &[(u8, &Facts)]| {
        let one = |(last, leaf): &(u8, &Facts)| {
            let problems = if leaf.serial == "old" { &[expired][..] } else { &[] };
            (ip(*last), chain(&[leaf, &authority], problems))
        };
        together(serving.iter().map(one).collect(), Vec::new())
    };
    let serials = |found: &Found| -> Vec<String> {
        found.certificates.iter().map(|one| one.serial.clone()).collect()
    };
    let same = served(&[(1, &old), (2, &old)]);
    assert_eq!((same.state, serials(&same)), (PlaceState::Read, vec!["old".into(), "ca".into()]));
    assert_eq!(same.problems, [(InvalidReason::Expired, "expired".to_owned())]);
    assert_eq!(same.shares, None);

    let mixed = served(&[(1, &old), (2, &new), (3, &new)]);
    assert_eq!(serials(&mixed), ["new", "ca", "old"]);
    assert_eq!(mixed.state, PlaceState::Read);
    assert_eq!(
        mixed.problems,
        [(InvalidReason::Expired, "expired (not at every address)".to_owned())]
    );
    let shares = "2 of 3 addresses serve new, 10.0.0.1 serves old";
    assert_eq!(mixed.shares.as_deref(), Some(shares));
    // Whichever of them answers first.
    assert_eq!(served(&[(3, &new), (1, &old), (2, &new)]), mixed);
}

#[test]
fn an_address_that_cannot_be_read_leaves_the_place_open_and_one_without_a_way_does_not() {
    let leaf = facts("01");
    for (served, failed, state, failures) in [
        (true, vec![failure("refused", false)], PlaceState::Broken, vec!["refused"]),
        (true, vec![failure("no way", true)], PlaceState::Read, vec![]),
        (false, vec![failure("refused", false)], PlaceState::Unreadable, vec!["refused"]),
        (false, vec![failure("no way", true)], PlaceState::Unreadable, vec!["no way"]),
        (
            false,
            vec![failure("no way", true), failure("refused", false)],
            PlaceState::Unreadable,
            vec!["refused"],
        ),
    ] {
        let served = served.then(|| (ip(1), chain(&[&leaf], &[]))).into_iter().collect();
        let found = together(served, failed);
        let failures: Vec<_> =
            failures.into_iter().map(|text| (Reason::Unreadable, text.to_owned())).collect();
        assert_eq!((found.state, found.failures), (state, failures));
    }
}

#[test]
fn a_certificate_that_cannot_be_understood_leaves_the_rest_to_be_read() {
    let leaf = facts("01");
    let broken = Chain { broken: vec!["#2 not a certificate".to_owned()], ..chain(&[&leaf], &[]) };
    let found = together(vec![(ip(1), broken)], Vec::new());
    assert_eq!((found.state, found.certificates.len()), (PlaceState::Broken, 1));
    assert_eq!(found.failures, [(Reason::BadCertificate, "#2 not a certificate".to_owned())]);
}
