use std::sync::Mutex;

use super::*;
use crate::client::fake::{Fake, Reply, Seen};
use crate::client::http::Http;
use crate::client::limiter::Limiters;
use crate::client::{Meter, Outcome};
use crate::clock::{BentClock, Clock, SteadyClock, SystemRandom};
use crate::expiry::Timestamp;

const LIST: Action = Action::new("ListCertificate");
const KEY: &str = "11111111-2222-4333-8444-555555555555";
const SECRET: &str = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";

#[derive(Default)]
struct Counts(Mutex<Vec<(Action, Outcome)>>);

impl Meter for Counts {
    fn request(&self, _: &str, action: Action, outcome: Outcome, _: f64) {
        self.0.lock().unwrap().push((action, outcome));
    }
    fn clock_offset(&self, _: &str, _: i64) {}
}

const NOW: Timestamp = Timestamp::from_seconds(1_763_827_200);

fn client(fake: &Fake) -> (Enos, Arc<Counts>) {
    client_by(fake, Arc::new(SteadyClock::starting_at(NOW)))
}

fn client_by(fake: &Fake, clock: Arc<dyn Clock>) -> (Enos, Arc<Counts>) {
    let counts = Arc::new(Counts::default());
    let deps = Deps {
        http: Http::new().unwrap(),
        limiters: Limiters::default(),
        clock,
        random: Arc::new(SystemRandom),
        meter: Arc::<Counts>::clone(&counts),
    };
    let settings = Settings {
        source: "plant".into(),
        endpoint: fake.url("/gateway/"),
        rate: 1e6,
        keys: Arc::new(|| Ok(AppKeys { key: KEY.into(), secret: SECRET.into() })),
        backoff: Backoff { base: Duration::from_micros(10), cap: Duration::from_millis(1) },
    };
    (Enos::new(settings, &deps), counts)
}

#[derive(Debug, serde::Deserialize)]
struct List {
    data: Vec<u8>,
}

async fn list(enos: &Enos) -> Result<Vec<u8>, CallError> {
    let query =
        [("action", "list"), ("orgId", "o1"), ("productKey", "pk 1"), ("deviceKey", "dev/键+1")];
    let call = Call {
        action: LIST,
        path: "/connect-service/v2.0/certificates",
        query: &query,
        body: None,
    };
    enos.call::<List>(call).await.map(|list| list.data)
}

fn token(value: &str, expire: u64) -> Reply {
    Reply::json(&json!({
        "status": 0, "msg": "SUCCESS", "business": "apim-token-service",
        "data": { "accessToken": value, "expire": expire },
    }))
}

fn data() -> Reply {
    Reply::json(&json!({ "code": 0, "msg": "OK", "data": [1, 2] }))
}

fn refusal(field: &str, code: i64, message: &str) -> Reply {
    Reply::json(&json!({ field: code, "msg": message, "requestId": "r-1" }))
}

fn is_get(seen: &Seen) -> bool {
    seen.path_and_query.ends_with("/token/get")
}

fn is_refresh(seen: &Seen) -> bool {
    seen.path_and_query.ends_with("/token/refresh")
}

/// Returns whether a signed request verifies, reading the query as a server would.
fn verifies(seen: &Seen) -> bool {
    let url = Url::parse(&format!("http://x{}", seen.path_and_query)).unwrap();
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let token = seen.header("apim-accesstoken").into();
    let timestamp = seen.header("apim-timestamp").parse().unwrap();
    sign::signature(&token, &pairs, &seen.body, timestamp, &SECRET.into())
        == seen.header("apim-signature")
}

#[tokio::test]
async fn gets_a_token_once_and_signs_every_call() {
    let fake = Fake::start(|_, seen| if is_get(seen) { token("t-1", 7200) } else { data() }).await;
    let (enos, counts) = client(&fake);
    assert_eq!(list(&enos).await.unwrap(), [1, 2]);
    assert_eq!(list(&enos).await.unwrap(), [1, 2]);
    let seen = fake.seen();
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[0].path_and_query, "/gateway/apim-token-service/v2.0/token/get");
    assert_eq!(seen[0].header("content-type"), "application/json;charset=UTF-8");
    let timestamp = seen[0].json()["timestamp"].as_i64().unwrap();
    assert_eq!(
        seen[0].json(),
        json!({
            "appKey": KEY,
            "timestamp": timestamp,
            "encryption": sign::encryption(KEY, timestamp, &SECRET.into()),
        })
    );
    assert!(verifies(&seen[1]) && verifies(&seen[2]));
    assert_eq!(
        *counts.0.lock().unwrap(),
        [(GET_TOKEN, Outcome::Ok), (LIST, Outcome::Ok), (LIST, Outcome::Ok)]
    );
}

#[tokio::test]
async fn many_calls_at_once_share_one_token_and_no_timestamp() {
    let fake = Fake::start(|_, seen| if is_get(seen) { token("t-1", 7200) } else { data() }).await;
    let (enos, _) = client(&fake);
    let calls = futures_util::future::join_all((0..20).map(|_| list(&enos))).await;
    assert!(calls.iter().all(Result::is_ok));
    let seen = fake.seen();
    assert_eq!(seen.iter().filter(|seen| is_get(seen)).count(), 1);
    let mut stamps: Vec<_> = seen
        .iter()
        .filter(|seen| !is_get(seen))
        .map(|seen| seen.header("apim-timestamp"))
        .collect();
    stamps.sort_unstable();
    stamps.dedup();
    assert_eq!(stamps.len(), 20);
}

#[tokio::test]
async fn a_clock_that_is_set_back_is_followed() {
    let fake = Fake::start(|_, seen| if is_get(seen) { token("t-1", 7200) } else { data() }).await;
    let clock = Arc::new(BentClock::starting_at(NOW, NOW));
    let (enos, _) = client_by(&fake, Arc::clone(&clock) as Arc<dyn Clock>);
    for bend in [400 * 86_400, 0] {
        clock.bend(bend);
        list(&enos).await.unwrap();
        let stamp: i64 = fake.seen().last().unwrap().header("apim-timestamp").parse().unwrap();
        let off = stamp / 1000 - NOW.seconds() - bend;
        assert!((0..3600).contains(&off), "{off} s off while the clock is {bend} s off");
    }
}

#[tokio::test]
async fn an_ended_token_is_replaced_and_the_call_repeated() {
    let fake = Fake::start(|number, seen| match () {
        () if is_get(seen) => token(if number == 0 { "old" } else { "new" }, 7200),
        () if seen.header("apim-accesstoken") == "old" => refusal("status", 1203, "expired"),
        () => data(),
    })
    .await;
    let (enos, counts) = client(&fake);
    assert_eq!(list(&enos).await.unwrap(), [1, 2]);
    assert_eq!(fake.seen().len(), 4);
    assert_eq!(counts.0.lock().unwrap()[1], (LIST, Outcome::Refused));
}

#[tokio::test]
async fn a_token_near_its_end_is_refreshed() {
    let fake = Fake::start(|_, seen| match () {
        () if is_get(seen) => token("old", 7200),
        () if is_refresh(seen) => token("new", 7200),
        () => data(),
    })
    .await;
    let (enos, _) = client(&fake);
    list(&enos).await.unwrap();
    age(&enos, 7200 - 300).await;
    list(&enos).await.unwrap();
    let seen = fake.seen();
    assert!(is_refresh(&seen[2]));
    let body = seen[2].json();
    assert_eq!(body["accessToken"], "old");
    let timestamp = body["timestamp"].as_i64().unwrap();
    assert_eq!(body["encryption"], sign::encryption(KEY, timestamp, &SECRET.into()));
    assert_eq!(seen[3].header("apim-accesstoken"), "new");
}

#[tokio::test]
async fn a_failed_refresh_falls_back() {
    for (code, expected) in [(1204, "new"), (1005, "old")] {
        let fake = Fake::start(move |number, seen| match () {
            () if is_get(seen) => token(if number == 0 { "old" } else { "new" }, 7200),
            () if is_refresh(seen) => refusal("status", code, "no"),
            () => data(),
        })
        .await;
        let (enos, _) = client(&fake);
        list(&enos).await.unwrap();
        age(&enos, 7200 - 300).await;
        list(&enos).await.unwrap();
        assert_eq!(fake.seen().last().unwrap().header("apim-accesstoken"), expected, "{code}");
    }
}

/// Makes the kept token look `seconds` old.
async fn age(enos: &Enos, seconds: u64) {
    let mut kept = enos.token.lock().await;
    let value = kept.as_ref().unwrap().value.expose_secret().to_owned();
    *kept = Some(Token::new(value, 7200, Instant::now() - Duration::from_secs(seconds)));
}

#[tokio::test]
async fn a_replayed_timestamp_is_tried_again_with_another() {
    let fake = Fake::start(|number, seen| match () {
        () if is_get(seen) => token("t-1", 7200),
        () if number == 1 => refusal("status", 1001, "duplicate encryption"),
        () => data(),
    })
    .await;
    let (enos, _) = client(&fake);
    list(&enos).await.unwrap();
    let seen = fake.seen();
    assert_ne!(seen[1].header("apim-timestamp"), seen[2].header("apim-timestamp"));
    assert!(verifies(&seen[2]));
}

#[tokio::test]
async fn permanent_errors_are_not_repeated() {
    for (field, code, message, class) in [
        ("status", 1002, "unknown", Class::Refused),
        ("code", 11404, "Device cannot be found", Class::Gone),
        ("code", 99403, "no permission", Class::Refused),
        ("code", 99400, "invalid argument: Device identifier is invalid", Class::BadRequest),
    ] {
        let fake = Fake::start(move |_, seen| {
            if is_get(seen) { token("t-1", 7200) } else { refusal(field, code, message) }
        })
        .await;
        let (enos, _) = client(&fake);
        assert_eq!(list(&enos).await.unwrap_err().class, class, "{code}");
        assert_eq!(fake.seen().len(), 2, "{code}");
    }
}

#[tokio::test]
async fn failures_of_the_authority_behind_are_repeated() {
    let fake = Fake::start(|number, seen| match () {
        () if is_get(seen) => token("t-1", 7200),
        () if number < 3 => refusal("code", 99400, "Query cert is failed!message: x"),
        () => data(),
    })
    .await;
    let (enos, _) = client(&fake);
    assert_eq!(list(&enos).await.unwrap(), [1, 2]);
}

#[tokio::test]
async fn a_gateway_that_repeats_the_request_gives_nothing_away() {
    let echoing = |seen: &Seen| {
        let value = |name: &str| seen.header(name).to_owned();
        let headers = ["apim-accesstoken", "apim-timestamp", "apim-signature"];
        let headers: Vec<_> =
            headers.iter().map(|name| format!("{name}: {}", value(name))).collect();
        format!("bad request {} {}", headers.join(", "), seen.path_and_query)
    };
    let fake = Fake::start(move |_, seen| {
        if is_get(seen) {
            token("TOKEN-0123456789-abc", 7200)
        } else {
            refusal("code", 99403, &echoing(seen))
        }
    })
    .await;
    let (enos, _) = client(&fake);
    let shown = list(&enos).await.unwrap_err().to_string();
    let seen = fake.seen();
    let signature = seen[1].header("apim-signature");
    assert_eq!(signature.len(), 64);
    assert!(!shown.contains(signature) && !shown.contains("TOKEN"), "{shown}");
    assert!(shown.contains("apim-accesstoken: [secret]"), "{shown}");
    assert!(shown.contains("apim-signature: [signature]"), "{shown}");
    assert!(shown.contains("deviceKey="), "what helps is kept: {shown}");
}

#[tokio::test]
async fn a_gateway_that_repeats_the_request_for_a_token_gives_nothing_away() {
    let fake = Fake::start(|_, seen| {
        let body = String::from_utf8(seen.body.to_vec()).unwrap();
        refusal("status", 1003, &format!("encryption invalid: {body}"))
    })
    .await;
    let (enos, _) = client(&fake);
    let shown = list(&enos).await.unwrap_err().to_string();
    let encryption = fake.seen()[0].json()["encryption"].as_str().unwrap().to_owned();
    assert_eq!(encryption.len(), 64);
    assert!(!shown.contains(&encryption) && !shown.contains(KEY), "{shown}");
}

#[tokio::test]
async fn no_secret_is_in_any_error() {
    let fake = Fake::start(|_, seen| {
        if is_get(seen) {
            token("TOKEN-abc", 7200)
        } else {
            refusal("code", 99403, &format!("{KEY} {SECRET} TOKEN-abc"))
        }
    })
    .await;
    let (enos, _) = client(&fake);
    let error = list(&enos).await.unwrap_err();
    let keys = (enos.settings.keys)();
    let kept = enos.token.lock().await;
    let shown = format!("{error} {error:?} {keys:?} {kept:?}");
    for secret in [KEY, SECRET, "TOKEN-abc"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
