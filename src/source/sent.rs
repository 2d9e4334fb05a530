//! What a source sends, for tests that hold it against what its kind states.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Context, Kind, Window, build, full_scan_default};
use crate::client::fake::{InProcess, Reply, Seen};
use crate::client::limiter::Limiters;
use crate::client::{Action, Deps, Meter, Outcome};
use crate::clock::{SteadyClock, SystemRandom};
use crate::config::{Environment, load};
use crate::expiry::Timestamp;

const NOW: Timestamp = Timestamp::from_seconds(1_763_827_200);

#[derive(Default)]
struct Sent(Mutex<BTreeSet<Action>>);

impl Meter for Sent {
    fn request(&self, _: &str, action: Action, outcome: Outcome, _: f64) {
        assert_eq!(outcome, Outcome::Ok, "{action}");
        self.0.lock().unwrap().insert(action);
    }
    fn clock_offset(&self, _: &str, _: i64) {}
}

/// Checks that a source of `kind` sends every action that the kind states, and no other, when it is read twice within six
/// minutes, and asked for its endpoints and for what it listed.
pub(super) async fn sends_what_it_states(
    kind: &Kind,
    options: &str,
    script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
) {
    let sent = Arc::new(Sent::default());
    let deps = Deps {
        http: InProcess::http(script),
        limiters: Limiters::default(),
        clock: Arc::new(SteadyClock::starting_at(NOW)),
        random: Arc::new(SystemRandom),
        meter: Arc::<Sent>::clone(&sent),
    };
    read_twice(kind, options, &deps).await;
    let stated: BTreeSet<Action> = kind.actions.iter().copied().collect();
    assert_eq!(*sent.0.lock().unwrap(), stated);
}

async fn read_twice(kind: &Kind, options: &str, deps: &Deps) {
    let text = format!(
        "[[source]]\nname = 's'\nkind = '{}'\nschedule = 'every 1h'\n[source.options]\n{options}",
        kind.name
    );
    let environment = Environment::of([("ID", "the-id"), ("KEY", "hunter2")]);
    let (config, mut mistakes) = load(&text, &environment, full_scan_default);
    let sources = config.unwrap().sources;
    let source = build(&sources[0], &Context { deps, sources: &sources }, &mut mistakes);
    let source = source.unwrap_or_else(|| panic!("{}", mistakes.render("x.toml", &text)));
    let near = Window::Near { from: NOW.plus(-86_400), to: NOW.plus(86_400) };
    source.endpoints().await.unwrap();
    if source.tells_use() {
        source.bound(&["c".to_owned()]).await;
    }
    for window in [near, Window::All, near] {
        for slice in source.slices(window).await.unwrap() {
            let page = source.page(&slice, 0).await.unwrap();
            for seen in page.sightings.iter() {
                source.confirm(&slice.scope, seen.issuer, seen.serial).await.unwrap();
            }
        }
        tokio::time::advance(Duration::from_mins(3)).await;
    }
}
