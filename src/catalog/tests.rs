//! Pages, held against a look at everything.

mod by_name;
mod unindexed;

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::config;
use crate::expiry::{
    Cover, Inventory, Kind, Rung, ScopeId, Sighting, Snooze, Snoozed, Status, SumsCache, Wanted,
};
use crate::store::{Commit, Memory, RowWrite};

mod outlook;

const NOW: i64 = 1_795_305_600;
const DAY: i64 = 86_400;

struct Stopped;

impl Clock for Stopped {
    fn millis(&self) -> i64 {
        NOW * 1000
    }

    fn uptime(&self) -> Duration {
        Duration::ZERO
    }
}

/// A catalog of what an inventory and a store were given.
struct World {
    inventory: Inventory,
    store: Memory,
    view: watch::Sender<Arc<View>>,
    config: watch::Sender<(u64, Arc<Config>)>,
    snoozes: watch::Sender<Arc<Snoozes>>,
    catalog: Catalog,
}

impl World {
    fn new(patience: Duration) -> Self {
        let (view, views) = watch::channel(Arc::default());
        let text = "[[source]]\nname = 'iot'\nkind = 'files'\nschedule = 'every 1h'\nlabels = { team = 'iot' }";
        let config = config::load(text, &config::Environment::of([]), |_| None).0.unwrap();
        let (config, configs) = watch::channel((0, Arc::new(config)));
        let store = Memory::default();
        let (snoozes, quiet) = watch::channel(Arc::default());
        let catalog =
            Catalog::new(views, configs, Arc::new(store.clone()), Arc::new(Stopped), quiet);
        let catalog = Catalog { patience, ..catalog };
        Self { inventory: Inventory::new(), store, view, config, snoozes, catalog }
    }

    /// Brings in certificates of a source and scope, and publishes them.
    async fn learn(&mut self, source: &str, scope: &str, sightings: Vec<Sighting>) -> Vec<RowId> {
        let (id, new) = self.inventory.scope(source, scope);
        let scopes = new.then(|| (id, Arc::from(source), Arc::from(scope))).into_iter().collect();
        let mut commit = Commit { scopes, ..Commit::default() };
        let mut numbers = Vec::new();
        for sighting in sightings {
            let applied = self.inventory.apply(id, &sighting);
            numbers.push(applied.row);
            commit.rows.push(written(id, applied.row, sighting, applied.status));
            commit.statuses.extend(applied.restated);
        }
        self.store.commit(Arc::new(commit)).await.unwrap();
        self.view.send_replace(Arc::new(self.inventory.view()));
        numbers
    }

    async fn page(&self, parameters: &[(&str, &str)]) -> Page {
        let query = Query::read(parameters.iter().copied()).unwrap();
        self.catalog.list(&query).await.unwrap()
    }

    /// Returns the serials of every page, which must come to an end.
    async fn all(&self, parameters: &[(&str, &str)]) -> Vec<String> {
        let (mut serials, mut cursor) = (Vec::new(), None::<String>);
        for _ in 0..1000 {
            let mut asked = parameters.to_vec();
            asked.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let page = self.page(&asked).await;
            serials.extend(page.items.into_iter().map(|item| item.facts.serial));
            cursor = page.next;
            if cursor.is_none() {
                return serials;
            }
        }
        panic!("the pages do not end: {serials:?}");
    }
}

fn written(scope: ScopeId, row: RowId, sighting: Sighting, status: Status) -> RowWrite {
    RowWrite { row, scope, sighting, status, first_seen: Timestamp::from_seconds(NOW - DAY) }
}

fn device(serial: &str, days: i64) -> Sighting {
    Sighting {
        serial: serial.to_owned(),
        not_before: Some(Timestamp::from_seconds(NOW - 400 * DAY)),
        not_after: Some(Timestamp::from_seconds(NOW + days * DAY)),
        ..Sighting::bare(Kind::Device, Status::Active)
    }
}

fn named(serial: &str, name: &str) -> Sighting {
    Sighting { common_name: name.to_owned(), ..device(serial, 90) }
}

#[tokio::test]
async fn a_page_tells_how_many_there_are_and_where_to_go_on() {
    let mut world = World::new(PATIENCE);
    let undated = Sighting { not_after: None, ..device("none", 0) };
    world.learn("iot", "a", vec![device("b", 20), undated, device("a", -3)]).await;
    world.learn("web", "all", vec![device("c", 5)]).await;
    assert_eq!(
        world.all(&[("label", "team:i*")]).await,
        ["a", "b", "none"],
        "of the configuration"
    );
    let page = world.page(&[("limit", "3")]).await;
    assert_eq!((page.total, page.total_at_least, page.searched_all), (Some(4), 4, None));
    let serials: Vec<_> = page.items.iter().map(|item| item.facts.serial.as_str()).collect();
    assert_eq!(serials, ["a", "c", "b"]);
    let rungs: Vec<_> = page.items.iter().map(|item| item.rung).collect();
    let days = |days: u32| Some(Rung::Before(days * 86_400));
    assert_eq!(rungs, [Some(Rung::Expired), days(7), days(30)]);
    let next = page.next.unwrap();
    let page = world.page(&[("limit", "3"), ("cursor", &next)]).await;
    assert_eq!((page.items.len(), page.next, page.total), (1, None, Some(4)));
    assert_eq!((page.items[0].rung, page.items[0].first_seen.seconds()), (None, NOW - DAY));
}

#[tokio::test]
async fn every_filter_narrows_the_list() {
    let mut world = World::new(PATIENCE);
    let ca = Sighting { kind: Kind::Ca, issuer: "root".to_owned(), ..device("ca", 400) };
    let placed = Sighting { place: "/etc/x.pem".to_owned(), ..named("S2", "www.example.com") };
    let off = Sighting {
        status: Status::Inactive,
        unit: "plant-7".to_owned(),
        labels: vec![("site".to_owned(), "north".to_owned())],
        ..device("s3", 6)
    };
    world.learn("iot-prod", "a", vec![ca, named("s1", "Kettle 01"), off]).await;
    world.learn("files", "all", vec![placed]).await;
    for (parameters, expected) in [
        (&[("source", "iot-*")][..], &["s3", "s1", "ca"][..]),
        (&[("source", "iot-*"), ("kind", "ca")], &["ca"]),
        (&[("source", "nowhere")], &[]),
        (&[("scope", "all")], &["S2"]),
        (&[("place", "/etc/*")], &["S2"]),
        (&[("issuer", "root")], &["ca"]),
        (&[("serial", "s1")], &["s1"]),
        (&[("serial", "S*")], &["S2"]),
        (&[("organizational_unit", "plant-7")], &["s3"]),
        (&[("status", "inactive")], &["s3"]),
        (&[("rung", "7d")], &["s3"]),
        (&[("within", "10d")], &["s3"]),
        (&[("ends_from", "2027-10-01")], &["ca"]),
        (&[("undated", "true")], &[]),
        (&[("not_deployed", "true")], &[]),
        (&[("not_deployed", "false"), ("kind", "ca")], &["ca"]),
        (&[("q", "kettle 0")], &["s1"]),
        (&[("q", "EXAMPLE")], &["S2"]),
        (&[("q", "x")], &["S2"]),
        (&[("q", "s2"), ("source", "iot-prod")], &[]),
        (&[("label", "site:north")], &["s3"]),
        (&[("label", "site:*"), ("label", "site:south")], &[]),
        (&[("label", "team:iot")], &[]),
    ] {
        assert_eq!(world.all(parameters).await, expected, "{parameters:?}");
        let total = world.page(parameters).await.total;
        assert_eq!(total, Some(expected.len() as u64), "{parameters:?}");
    }
}

#[tokio::test]
async fn a_certificate_is_found_by_its_id_and_the_first_digits_of_it() {
    let mut world = World::new(PATIENCE);
    let old = Sighting { holder: "kettle".to_owned(), ..device("old", 5) };
    let new = Sighting { holder: "kettle".to_owned(), ..device("new", 300) };
    world.learn("iot", "a", vec![old, new]).await;
    let page = world.page(&[]).await;
    let [old, new] = [0, 1].map(|place| page.items[place].clone());
    assert_eq!(old.facts.status, Status::Superseded);
    assert_eq!(old.successor, Some(new.facts.id()));
    assert_eq!((old.rung, new.successor.as_deref()), (None, None));
    assert_eq!(world.catalog.one(&old.facts.id()).await.unwrap(), Some(old.clone()));
    for unknown in ["", "x", &"0".repeat(32), old.facts.id().split_at(31).0] {
        assert_eq!(world.catalog.one(unknown).await.unwrap(), None, "{unknown}");
    }
    assert_eq!(world.all(&[("q", old.facts.id().split_at(8).0)]).await, ["old"]);
}

#[tokio::test]
async fn a_story_without_what_only_the_pipeline_knows_is_not_told_as_if_nothing_were() {
    let mut world = World::new(PATIENCE);
    world.learn("iot", "a", vec![device("one", 5)]).await;
    let id = world.page(&[]).await.items[0].facts.id();
    let (gone, answers) = tokio::sync::mpsc::channel(1);
    drop(answers);
    let told = world.catalog.story(&id, Some(&gone)).await;
    assert!(matches!(told, Err(CatalogError::Stopping)), "{told:?}");
    assert!(world.catalog.story(&id, None).await.unwrap().is_some(), "from the store alone");
}

#[tokio::test]
async fn the_successor_is_what_the_provider_links() {
    let mut world = World::new(PATIENCE);
    let server = |serial: &str, days, links: &[&str]| Sighting {
        kind: Kind::Server,
        names: vec!["a.example".to_owned()],
        successors: links.iter().map(|link| (*link).to_owned()).collect(),
        ..device(serial, days)
    };
    world
        .learn("ssl", "all", vec![server("old", 5, &["new", "gone"]), server("new", 300, &[])])
        .await;
    let page = world.page(&[]).await;
    assert_eq!(page.items[0].facts.status, Status::Superseded);
    assert_eq!(page.items[0].successor, Some(page.items[1].facts.id()));
}

#[tokio::test]
async fn what_nothing_narrows_down_is_found_in_pages_that_end_soon() {
    let mut world = World::new(Duration::ZERO);
    let unit = |number: usize| Sighting {
        unit: if number.is_multiple_of(1000) { "rare" } else { "usual" }.to_owned(),
        ..device(&format!("{number:05}"), i64::try_from(number).unwrap())
    };
    world.learn("iot", "a", (0..5000).map(unit).collect()).await;
    let page = world.page(&[("organizational_unit", "rare")]).await;
    assert_eq!((page.items.len(), page.total, page.total_at_least), (1, None, 1));
    let expected: BTreeSet<_> = (0..5).map(|number| format!("{:05}", number * 1000)).collect();
    let found = world.all(&[("organizational_unit", "rare")]).await;
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
    let usual = world.page(&[("organizational_unit", "usual"), ("limit", "5")]).await;
    assert_eq!((usual.items.len(), usual.total_at_least), (5, 5));
    assert_eq!(world.all(&[("organizational_unit", "usual"), ("limit", "999")]).await.len(), 4995);
}

#[tokio::test]
async fn an_export_is_the_list_to_its_end() {
    let mut world = World::new(PATIENCE);
    let devices = (0..2500).map(|number| device(&format!("{number:05}"), number % 700)).collect();
    world.learn("iot", "a", devices).await;
    for parameters in [&[("sort", "-not_after")][..], &[("q", "1")]] {
        let (taker, mut entries) = tokio::sync::mpsc::channel(1);
        let query = Query::read(parameters.iter().copied()).unwrap();
        let export = world.catalog.export(&query, taker);
        let gather = async {
            let mut serials = Vec::new();
            while let Some(items) = entries.recv().await {
                serials.extend(items.into_iter().map(|item: Entry| item.facts.serial));
            }
            serials
        };
        let (exported, serials) = tokio::join!(export, gather);
        exported.unwrap();
        assert_eq!(serials, world.all(parameters).await);
    }
}

#[tokio::test]
async fn the_timeline_counts_active_certificates() {
    let mut world = World::new(PATIENCE);
    let off = Sighting { status: Status::Inactive, ..device("off", 1) };
    let days = [-1, 0, 1, 1, 89, 90, 700];
    let devices = days.iter().enumerate().map(|(index, days)| device(&index.to_string(), *days));
    world.learn("iot", "a", devices.chain([off]).collect()).await;
    let counts = world.catalog.timeline(By::Day).await.unwrap();
    assert_eq!(counts.len(), 90);
    let some: Vec<_> =
        counts.iter().map(|it| it.certificates).enumerate().filter(|it| it.1 > 0).collect();
    assert_eq!(some, [(0, 1), (1, 2), (89, 1)]);
    assert_eq!((counts[0].from.seconds(), counts[0].to.seconds()), (NOW, NOW + DAY - 1));
    let months = world.catalog.timeline(By::Month).await.unwrap();
    assert_eq!((months.len(), months.iter().map(|it| it.certificates).sum::<u64>()), (36, 7));
}

fn names() -> impl Strategy<Value = String> {
    "[aAbß][bBcİ][cC1][0-9a]{0,3}"
}

proptest! {
    #![proptest_config(crate::property::cases(64))]

    #[test]
    fn a_search_finds_what_a_look_at_each_name_finds(
        known in proptest::collection::vec(names(), 0..300), wanted in names(), limit in 1..9_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new(Duration::ZERO);
            let sightings: Vec<_> = known
                .iter()
                .enumerate()
                .map(|(number, name)| named(&format!("#{number}"), name))
                .collect();
            world.learn("iot", "a", sightings).await;
            let wanted = wanted.to_lowercase();
            let mut found = world.all(&[("q", &wanted), ("limit", &limit.to_string())]).await;
            found.sort_unstable();
            let mut expected: Vec<_> = known
                .iter()
                .enumerate()
                .filter(|(_, name)| name.to_lowercase().contains(&wanted))
                .map(|(number, _)| format!("#{number}"))
                .collect();
            expected.sort_unstable();
            assert_eq!(found, expected);
        });
    }
}

#[tokio::test]
async fn what_is_snoozed_is_listed_by_itself() {
    let mut world = World::new(PATIENCE);
    let rows = world.learn("iot", "a", vec![device("a", 5), device("b", 5), device("c", 90)]).await;
    let quiet = |cover| Snooze {
        id: "s".to_owned(),
        cover,
        made: Timestamp::from_seconds(NOW),
        until: Timestamp::from_seconds(NOW + DAY),
        hold: false,
        author: "ann".to_owned(),
        reason: "known".to_owned(),
        link: None,
        ended: None,
    };
    let [yes, no] = ["true", "false"].map(|word| [("snoozed", word)]);
    assert_eq!((world.all(&yes).await.len(), world.all(&no).await.len()), (0, 3));
    let view = world.inventory.view();
    let of_one = Snoozed {
        id: view.id(rows[2]).unwrap(),
        row: rows[0],
        rung: None,
        not_after: view.row(rows[2]).unwrap().not_after,
    };
    let one = quiet(Cover::Certificate(of_one));
    world.snoozes.send_replace(Arc::new([one.clone()].into_iter().collect()));
    assert_eq!(
        (world.all(&yes).await, world.all(&no).await),
        (vec!["c".into()], vec!["a".into(), "b".into()])
    );
    let many = quiet(Cover::Match(Wanted::parse("serial=a,serial=b,rung=7d").unwrap()));
    world.snoozes.send_replace(Arc::new([one, many].into_iter().collect()));
    assert_eq!((world.all(&yes).await.len(), world.all(&no).await.len()), (3, 0));
    let first = world.page(&[]).await.items.remove(0);
    assert_eq!(first.snoozed_until, Some(Timestamp::from_seconds(NOW + DAY)));
}

/// A configuration with these lines, and who is told of what.
fn routed(lines: &str) -> Arc<Config> {
    let text = format!(
        "{lines}\n[[source]]\nname = 'iot'\nkind = 'files'\nschedule = 'every 1h'\n\
         [[channel]]\nname = 'ops'\nkind = 'slack'\n[[channel]]\nname = 'room'\nkind = 'slack'\n\
         [[route]]\nmatch = {{ severity = 'critical', event = 'certificate.*' }}\nchannels = ['room']\n\
         [[route]]\nchannels = ['ops']\n"
    );
    let (config, mistakes) = config::load(&text, &config::Environment::of([]), |_| None);
    assert_eq!(mistakes.render("x", &text), "");
    Arc::new(config.unwrap())
}

#[tokio::test]
async fn another_configuration_is_held_against_what_is_known() {
    let mut world = World::new(PATIENCE);
    let revoked = Sighting { status: Status::Revoked, ..device("r", 50) };
    world.learn("iot", "a", vec![device("a", 20), device("b", 2), device("c", 500), revoked]).await;
    world.learn("web", "all", vec![device("w", 20)]).await;
    world.config.send_replace((1, routed("")));
    let same = world.catalog.compare(&routed("# nothing")).await.unwrap();
    assert_eq!((same.differences.len(), same.rerouted.len(), same.other_ladder), (0, 0, 0));
    assert_eq!((same.known, same.looked_at, same.forgotten), (5, 3, 1), "web is gone already");
    let ladders = "[[ladder]]\nmatch = { kind = 'device' }\nrungs = ['40d']";
    let other = world.catalog.compare(&routed(ladders)).await.unwrap();
    assert_eq!((other.differences, other.other_ladder), (vec!["the ladders differ".to_owned()], 4));
    let wanted = routed("");
    let mut wanted = Config::clone(&wanted);
    wanted.routes.remove(0);
    wanted.routes[0].channels = vec!["room".to_owned()];
    let turned = world.catalog.compare(&Arc::new(wanted)).await.unwrap();
    let [way] = &turned.rerouted[..] else { panic!("{:?}", turned.rerouted) };
    assert_eq!((&way.now[..], &way.then[..]), (&["ops".to_owned()][..], &["room".to_owned()][..]));
    assert_eq!(way.certificates, 2, "b is past the rungs that are warnings");
    assert!(way.events.contains(&"source.stale of iot".to_owned()), "{:?}", way.events);
    assert!(way.events.contains(&"clock.suspect".to_owned()), "{:?}", way.events);
    assert!(!way.events.iter().any(|event| event.starts_with("channel.down of ops")));
    let whole = way.events.len();
    let single: BTreeSet<_> = way.events.iter().collect();
    assert_eq!(whole, single.len(), "each once: {:?}", way.events);
}
