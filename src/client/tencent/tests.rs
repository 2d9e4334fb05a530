use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use serde_json::json;

use super::*;
use crate::client::fake::{self, Fake, Reply as Answer, Seen};
use crate::client::http::Http;
use crate::client::limiter::Limiters;
use crate::client::{Meter, Outcome};
use crate::clock::{SteadyClock, SystemRandom};
use crate::expiry::Timestamp;

const NOW: i64 = 1_763_827_200;
const LIST: Action = Action::new("DescribeInstanceList");
const ID: &str = "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE";
const KEY: &str = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE";

#[derive(Default)]
struct Counts {
    requests: Mutex<Vec<(Action, Outcome)>>,
    offsets: Mutex<Vec<i64>>,
}

impl Meter for Counts {
    fn request(&self, source: &str, action: Action, outcome: Outcome, seconds: f64) {
        assert_eq!(source, "iot");
        assert!(seconds >= 0.0);
        self.requests.lock().unwrap().push((action, outcome));
    }
    fn clock_offset(&self, _: &str, seconds: i64) {
        self.offsets.lock().unwrap().push(seconds);
    }
}

impl Counts {
    fn outcomes(&self) -> Vec<Outcome> {
        self.requests.lock().unwrap().iter().map(|(_, outcome)| *outcome).collect()
    }
}

fn keys(token: Option<&str>) -> ReadKeys {
    let keys = Keys { id: ID.into(), key: KEY.into(), token: token.map(SecretString::from) };
    Arc::new(move || Ok(keys.clone()))
}

fn client(endpoint: Url, keys: ReadKeys) -> (Tencent, Arc<Counts>) {
    let counts = Arc::new(Counts::default());
    let deps = Deps {
        http: Http::new().unwrap(),
        limiters: Limiters::default(),
        clock: Arc::new(SteadyClock::starting_at(Timestamp::from_seconds(NOW))),
        random: Arc::new(SystemRandom),
        meter: Arc::<Counts>::clone(&counts),
    };
    let settings = Settings {
        source: "iot".into(),
        endpoint,
        service: "mqtt",
        version: "2024-05-16",
        region: Some("ap-guangzhou".into()),
        rate: 1e6,
        keys,
        backoff: Backoff { base: Duration::from_micros(10), cap: Duration::from_millis(1) },
    };
    (Tencent::new(settings, &deps), counts)
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Count {
    error: Option<ApiError>,
    total_count: Option<u64>,
}

impl Reply for Count {
    fn error(&self) -> Option<&ApiError> {
        self.error.as_ref()
    }
}

async fn count(client: &Tencent) -> Result<Option<u64>, CallError> {
    let read = |body: &[u8]| decode::<Count>(body).map(|count| count.total_count);
    client.call(LIST, &json!({}), read).await
}

fn success() -> Answer {
    Answer::json(
        &json!({"Error": null, "RequestId": null, "Response": {"TotalCount": 3, "RequestId": "r"}}),
    )
}

fn error(code: &str) -> Answer {
    Answer::json(
        &json!({"Response": {"Error": {"Code": code, "Message": "no"}, "RequestId": "r-1"}}),
    )
}

/// Answers with each of `answers` in turn and then with successes; returns the result and the outcomes.
async fn run(answers: Vec<fn() -> Answer>) -> (Result<Option<u64>, CallError>, Vec<Outcome>) {
    let fake =
        Fake::start(move |number, _| answers.get(number).map_or_else(success, |answer| answer()))
            .await;
    let (client, counts) = client(fake.url("/"), keys(None));
    (count(&client).await, counts.outcomes())
}

#[tokio::test]
async fn a_request_carries_every_header_and_verifies() {
    let fake = Fake::start(|_, _| success()).await;
    let (client, counts) = client(fake.url("/"), keys(Some("tmpTOKEN-0123456789abcdef==")));
    assert_eq!(count(&client).await.unwrap(), Some(3));
    let seen = &fake.seen()[0];
    for (name, expected) in [
        ("content-type", "application/json"),
        ("x-tc-action", "DescribeInstanceList"),
        ("x-tc-version", "2024-05-16"),
        ("x-tc-region", "ap-guangzhou"),
        ("x-tc-language", "en-US"),
        ("x-tc-token", "tmpTOKEN-0123456789abcdef=="),
        ("host", fake.authority()),
    ] {
        assert_eq!(seen.header(name), expected, "{name}");
    }
    assert_eq!((seen.path_and_query.as_str(), seen.body.as_ref()), ("/", b"{}".as_slice()));
    assert_eq!(seen.header("authorization"), expected_authorization(seen, fake.authority()));
    assert_eq!(counts.outcomes(), [Outcome::Ok]);
}

fn expected_authorization(seen: &Seen, host: &str) -> String {
    let draft = sign::Draft {
        method: "POST",
        query: "",
        content_type: "application/json",
        host,
        service: "mqtt",
        timestamp: seen.header("x-tc-timestamp").parse().unwrap(),
        payload: &seen.body,
    };
    sign::sign(&draft, ID, &KEY.into()).authorization
}

#[tokio::test]
async fn no_region_and_no_token_mean_no_headers() {
    let fake = Fake::start(|_, _| success()).await;
    let (mut client, _) = client(fake.url("/"), keys(None));
    client.settings.region = None;
    count(&client).await.unwrap();
    assert_eq!(fake.seen()[0].header("x-tc-region"), "");
    assert_eq!(fake.seen()[0].header("x-tc-token"), "");
}

#[tokio::test]
async fn content_type_does_not_gate_errors() {
    for content_type in ["application/json; charset=utf-8", "text/html", "text/plain"] {
        let fake = Fake::start(move |_, _| {
            error("UnauthorizedOperation").header("content-type", content_type)
        })
        .await;
        let (client, _) = client(fake.url("/"), keys(None));
        let error = count(&client).await.unwrap_err();
        assert_eq!((error.class, error.code.as_str()), (Class::Refused, "UnauthorizedOperation"));
        assert_eq!(
            error.to_string(),
            "DescribeInstanceList: UnauthorizedOperation: no (request r-1)"
        );
    }
}

#[tokio::test]
async fn throttling_and_failures_pass() {
    let answers: Vec<fn() -> Answer> = vec![
        || error("RequestLimitExceeded.UinLimitExceeded"),
        || error("LimitExceeded.RateLimitExceeded"),
        || Answer::new(502, "<html>bad gateway</html>"),
        || Answer::new(200, "<html>captive portal</html>"),
        || error("ResourceUnavailable"),
    ];
    let (result, outcomes) = run(answers).await;
    assert_eq!(result.unwrap(), Some(3));
    assert_eq!(
        outcomes,
        [
            Outcome::Throttled,
            Outcome::Throttled,
            Outcome::Unavailable,
            Outcome::Malformed,
            Outcome::Unavailable,
            Outcome::Ok,
        ]
    );
}

#[tokio::test]
async fn every_failure_ends_after_its_number_of_attempts() {
    type Case = (fn() -> Answer, Class, usize);
    let cases: [Case; 12] = [
        (|| error("RequestLimitExceeded"), Class::Throttled, 6),
        (|| error("InternalError"), Class::Faulty, 3),
        (|| error("FailedOperation"), Class::Faulty, 3),
        (|| error("SomethingNew"), Class::Unknown, 2),
        (|| error("FailedOperation.InstanceNotReady"), Class::NotReady, 1),
        (|| error("AuthFailure.SignatureFailure"), Class::Signature, 2),
        (|| error("AuthFailure.SecretIdNotFound"), Class::Refused, 1),
        (|| error("InvalidParameterValue"), Class::BadRequest, 1),
        (|| error("ResourceNotFound.Instance"), Class::Gone, 1),
        (|| error("ResponseSizeLimitExceeded"), Class::TooBig, 1),
        (|| Answer::new(503, ""), Class::Unavailable, 6),
        (|| Answer::json(&json!({"Response": {"TotalCount": "3"}})), Class::Malformed, 1),
    ];
    for (answer, class, attempts) in cases {
        let (result, outcomes) = run(vec![answer; 20]).await;
        assert_eq!(result.unwrap_err().class, class);
        assert_eq!(outcomes, vec![class.outcome(); attempts], "{class:?}");
    }
}

#[tokio::test]
async fn throttling_lowers_the_shared_rate() {
    let fake = Fake::start(
        |number, _| {
            if number == 0 { error("RequestLimitExceeded") } else { success() }
        },
    )
    .await;
    let (client, _) = client(fake.url("/"), keys(None));
    let limiter = client.caller.deps.limiters.get(ID, "ap-guangzhou", "DescribeInstanceList", 1e6);
    count(&client).await.unwrap();
    assert!(limiter.rate() < 0.6e6, "{}", limiter.rate());
}

#[tokio::test]
async fn a_wrong_clock_is_corrected_once_from_the_date_header() {
    let fake = Fake::start(|_, seen| {
        let theirs = NOW + 3600;
        let ours: i64 = seen.header("x-tc-timestamp").parse().unwrap();
        let answer = if ours.abs_diff(theirs) > 300 {
            error("AuthFailure.SignatureExpire")
        } else {
            success()
        };
        answer.header("date", "Sat, 22 Nov 2025 17:00:00 GMT")
    })
    .await;
    let (client, counts) = client(fake.url("/"), keys(None));
    assert_eq!(count(&client).await.unwrap(), Some(3));
    assert_eq!(counts.outcomes(), [Outcome::Clock, Outcome::Ok]);
    assert_eq!(*counts.offsets.lock().unwrap(), [3600]);
    let seen = &fake.seen()[1];
    assert_eq!(seen.header("authorization"), expected_authorization(seen, fake.authority()));
    // The correction is kept: the next call needs no second attempt.
    assert_eq!(count(&client).await.unwrap(), Some(3));
    assert_eq!(fake.seen().len(), 3);
}

#[tokio::test]
async fn a_clock_that_cannot_be_corrected_needs_a_person() {
    let always: fn(usize, &Seen) -> Answer = |_, _| error("AuthFailure.SignatureExpire");
    let fake = Fake::start(move |number, seen| {
        always(number, seen).header("date", "Sat, 22 Nov 2025 16:00:00 GMT")
    })
    .await;
    let (client, counts) = client(fake.url("/"), keys(None));
    let error = count(&client).await.unwrap_err();
    assert_eq!(error.class, Class::Clock);
    assert!(error.text.contains("clock"), "{}", error.text);
    assert_eq!(counts.outcomes(), [Outcome::Clock, Outcome::Clock]);
}

#[tokio::test]
async fn ended_temporary_credentials_are_read_again() {
    let fake = Fake::start(|_, seen| {
        if seen.header("x-tc-token") == "fresh" {
            success()
        } else {
            error("AuthFailure.TokenFailure")
        }
    })
    .await;
    let reads = AtomicUsize::new(0);
    let rotating: ReadKeys = Arc::new(move || {
        let token = if reads.fetch_add(1, Ordering::Relaxed) == 0 { "ended" } else { "fresh" };
        Ok(Keys { id: ID.into(), key: KEY.into(), token: Some(token.into()) })
    });
    let (client, _) = client(fake.url("/"), rotating);
    assert_eq!(count(&client).await.unwrap(), Some(3));
    assert_eq!(fake.seen().len(), 2);
}

#[tokio::test]
async fn unreadable_credentials_send_nothing() {
    let fake = Fake::start(|_, _| success()).await;
    let unreadable: ReadKeys = Arc::new(|| Err("set TENCENTCLOUD_SECRET_ID".into()));
    let (client, _) = client(fake.url("/"), unreadable);
    let error = count(&client).await.unwrap_err();
    assert_eq!((error.class, error.text.as_str()), (Class::Refused, "set TENCENTCLOUD_SECRET_ID"));
    assert_eq!(fake.seen().len(), 0);
}

#[tokio::test]
async fn truncated_answers_and_bombs_end_as_errors() {
    let truncated = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"Respo".to_vec();
    let (client, counts) = client(fake::raw(truncated).await, keys(None));
    assert_eq!(count(&client).await.unwrap_err().class, Class::Unavailable);
    assert_eq!(counts.outcomes(), [Outcome::Unavailable; 6]);
}

#[tokio::test]
async fn a_provider_that_repeats_the_request_gives_nothing_away() {
    let token = "tmpTOKEN-0123456789abcdef==";
    let echo = |seen: &Seen| {
        let (token, authorization) = (seen.header("x-tc-token"), seen.header("authorization"));
        format!("x-tc-token: {token}, authorization: {authorization}, body: {:?}", seen.body)
    };
    // Texts are cut off, each time elsewhere.
    for pad in (0..300).step_by(3) {
        let fake = Fake::start(move |_, seen| {
            let text = format!("{:pad$}{}", "", echo(seen));
            Answer::json(&json!({"Response": {
                "Error": {"Code": "InvalidParameter", "Message": text}, "RequestId": "r-1",
            }}))
        })
        .await;
        let (client, _) = client(fake.url("/"), keys(Some(token)));
        let shown = count(&client).await.unwrap_err().to_string();
        let seen = fake.seen();
        let (_, signature) = seen[0].header("authorization").rsplit_once("Signature=").unwrap();
        assert_eq!(signature.len(), 64);
        for secret in [ID, KEY, token, signature] {
            let mut parts = (0..=secret.len() - 10).filter_map(|at| secret.get(at..at + 10));
            assert_eq!(parts.find(|part| shown.contains(part)), None, "{pad}: {shown}");
        }
    }
}

#[tokio::test]
async fn no_secret_is_in_any_error() {
    let token = "tmpTOKEN-0123456789abcdef==";
    let echo = move |_: usize, seen: &Seen| {
        let headers: HashMap<_, _> = seen
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default()))
            .collect();
        let message = format!("{ID} {KEY} {token} {headers:?}");
        Answer::json(
            &json!({"Response": {"Error": {"Code": format!("X.{KEY}"), "Message": message}}}),
        )
    };
    let fake = Fake::start(echo).await;
    let (client, _) = client(fake.url("/"), keys(Some(token)));
    let error = count(&client).await.unwrap_err();
    let shown = format!("{error} {error:?} {:?}", (client.settings.keys)());
    for secret in [KEY, token] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(!format!("{error:?}").contains(ID));
}
