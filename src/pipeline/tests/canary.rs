//! A canary goes the way of every certificate, and nothing of it is left behind.

use super::*;
use crate::channel::{CanaryRefusal, CanaryStage, CanaryStep};

/// A canary that was asked for.
struct Asked {
    steps: mpsc::UnboundedReceiver<CanaryStep>,
    answer: Result<String, CanaryRefusal>,
}

impl Asked {
    /// Returns the steps since the last call: the part of the way, and whether it was gone.
    fn steps(&mut self) -> Vec<(&'static str, bool)> {
        self.told().iter().map(|step| (step.stage.as_str(), step.result.is_ok())).collect()
    }

    fn told(&mut self) -> Vec<CanaryStep> {
        std::iter::from_fn(|| self.steps.try_recv().ok()).collect()
    }
}

async fn ask(bench: &mut Bench, source: Option<&str>) -> Asked {
    let (steps, told) = mpsc::unbounded_channel();
    let (answer, answered) = oneshot::channel();
    let source = source.map(str::to_owned);
    let request = CanaryRequest { source, steps, answer };
    bench.pipeline.handle(Command::Canary(request)).await.unwrap();
    Asked { steps: told, answer: answered.await.unwrap() }
}

async fn waiting(bench: &Bench) -> Vec<Event> {
    let waiting = bench.store.pending("ops", 9).await.unwrap();
    waiting.into_iter().map(|one| one.event).collect()
}

const WAY: [(&str, bool); 4] =
    [("sighting", true), ("inventory", true), ("plan", true), ("outbox", true)];

#[tokio::test]
async fn it_is_said_and_nothing_is_known_of_it() {
    let mut bench = Bench::new().await;
    bench.scan(&slice("mqtt-1", Window::All), vec![device("a", 300)]).await;
    bench.save().await;
    let (before, saved) = (bench.view.borrow().clone(), bench.store.saved().await.unwrap());
    let mut asked = ask(&mut bench, None).await;
    assert_eq!(asked.answer, Ok("machine".to_owned()), "the first source");
    assert_eq!(asked.steps(), WAY);
    let [event] = &waiting(&bench).await[..] else { panic!("one event") };
    assert_eq!((event.kind(), event.severity), ("canary", Severity::Info));
    let facts = event.facts().unwrap();
    assert_eq!((&*facts.source, facts.not_after), ("machine", Some(NOW.plus(600))));
    assert_eq!(*bench.pipeline.outputs.canary.borrow(), Some(event.id.clone()));
    // It is decided once, whatever else is decided meanwhile.
    bench.pipeline.decide().await.unwrap();
    bench.save().await;
    assert_eq!(waiting(&bench).await.len(), 1);
    assert_eq!(bench.serials().await, ["a"]);
    assert_eq!(bench.view.borrow().len(), before.len());
    let now = bench.store.saved().await.unwrap();
    assert_eq!((now.ledger, now.scopes), (saved.ledger, saved.scopes));
    let told = Command::CanaryTold {
        channel: "ops".to_owned(),
        event: event.id.clone(),
        verdict: Ok("delivered".to_owned()),
    };
    bench.pipeline.handle(told).await.unwrap();
    assert_eq!(asked.steps(), [("channel", true), ("removed", true)]);
    assert!(asked.steps.is_closed());
    assert_eq!(*bench.pipeline.outputs.canary.borrow(), None);
}

#[tokio::test]
async fn one_is_on_its_way_at_a_time_and_only_for_who_waits() {
    let mut bench = Bench::new().await;
    let unknown = ask(&mut bench, Some("nobody")).await;
    assert_eq!(unknown.answer, Err(CanaryRefusal::NoSuchSource(vec!["machine".to_owned()])));
    let first = ask(&mut bench, Some("machine")).await;
    let second = ask(&mut bench, None).await;
    assert_eq!(second.answer, Err(CanaryRefusal::UnderWay));
    assert_eq!(waiting(&bench).await.len(), 1);
    drop(first);
    let third = ask(&mut bench, None).await;
    assert_eq!(third.answer, Ok("machine".to_owned()));
    let ids: Vec<String> = waiting(&bench).await.into_iter().map(|event| event.id).collect();
    assert_eq!(ids.len(), 2, "the outbox takes the first back");
    assert_eq!(bench.pipeline.outputs.canary.borrow().as_ref(), ids.last());
}

#[tokio::test(start_paused = true)]
async fn channels_that_say_nothing_have_a_minute() {
    let mut bench = Bench::new().await;
    let mut asked = ask(&mut bench, None).await;
    asked.steps();
    tokio::time::advance(Duration::from_secs(59)).await;
    bench.pipeline.check_canary();
    assert_eq!(asked.steps(), []);
    assert!(bench.pipeline.canary_due().is_some_and(|at| at > Instant::now()));
    tokio::time::advance(Duration::from_secs(2)).await;
    bench.pipeline.check_canary();
    let told = asked.told();
    assert_eq!(told[0].stage, CanaryStage::Channel("ops".to_owned()));
    assert_eq!(told[0].result, Err("no verdict within 60 s".to_owned()));
    assert_eq!(told[1].stage, CanaryStage::Removed);
    assert_eq!(bench.pipeline.canary_due(), None);
}

/// The routes choose as they would for a certificate of the source.
#[tokio::test]
async fn it_is_like_what_its_source_has() {
    let text = TEXT.replace("\"machine\"", "\"iot\"").replace(
        "[[route]]\n",
        "[[channel]]\nname = \"plant\"\nkind = \"slack\"\n[[route]]\n\
         match = { source = \"iot\", kind = \"device\", organizational_unit = \"plant-7\" }\n\
         channels = [\"plant\"]\n[[route]]\n",
    );
    let mut bench = Bench::new().await;
    let settings = Box::new(settings_of(&text, &["iot"]));
    bench.pipeline.handle(Command::Reconfigure(settings)).await.unwrap();
    let mut asked = ask(&mut bench, None).await;
    assert_eq!(asked.told()[3].result, Ok("committed, for ops".to_owned()));
    drop(asked);
    let device = Sighting { unit: "plant-7".to_owned(), ..device("a", 300) };
    bench.scan(&slice("mqtt-1", Window::All), vec![device]).await;
    let mut asked = ask(&mut bench, Some("iot")).await;
    let told = asked.told();
    let seen = told[0].result.as_ref().unwrap();
    assert!(seen.contains(" of iot / mqtt-1, expires 2027-01-15T08:10:00Z"), "{seen}");
    assert_eq!(told[3].result, Ok("committed, for plant".to_owned()));
}

#[tokio::test]
async fn a_route_to_nobody_is_where_it_ends() {
    let mut bench = Bench::new().await;
    let text = TEXT.replace("channels = [\"ops\"]", "channels = []");
    let settings = Box::new(settings_of(&text, &["iot"]));
    bench.pipeline.handle(Command::Reconfigure(settings)).await.unwrap();
    let mut asked = ask(&mut bench, None).await;
    let expected = [&WAY[..3], &[("outbox", false), ("removed", true)]].concat();
    assert_eq!(asked.steps(), expected);
    assert_eq!(waiting(&bench).await, []);
}
