use serde_json::json;

use super::*;
use crate::client::fake::{Fake, Reply, Seen};
use crate::client::http::Http;
use crate::client::limiter::Limiters;
use crate::client::{Deps, NoMeter};
use crate::clock::{SteadyClock, SystemRandom};

fn source(fake: &Fake, target: Target) -> Enos {
    let deps = Deps {
        http: Http::new().unwrap(),
        limiters: Limiters::default(),
        clock: Arc::new(SteadyClock::starting_at(Timestamp::from_seconds(1_763_827_200))),
        random: Arc::new(SystemRandom),
        meter: Arc::new(NoMeter),
    };
    let settings = Settings {
        source: "plant".into(),
        endpoint: fake.url("/"),
        rate: 1e6,
        keys: Arc::new(|| Ok(AppKeys { key: "the-key".into(), secret: "hunter2".into() })),
        backoff: Backoff { base: Duration::from_micros(10), cap: Duration::from_millis(1) },
    };
    let clock = Arc::clone(&deps.clock);
    Enos::new(Client::new(settings, &deps), "o1", target, clock)
}

fn ok(content: &Value) -> Reply {
    let mut body = json!({"code": 0, "msg": "OK", "requestId": "r"});
    for (name, value) in content.as_object().unwrap() {
        body[name] = value.clone();
    }
    Reply::json(&body)
}

fn token() -> Reply {
    Reply::json(&json!({"status": 0, "data": {"accessToken": "t-1", "expire": 7200}}))
}

/// A gateway with products `a` (60 devices), `b` (3 devices), `c`, which has no mutual TLS, and `d`, of which nobody
/// says whether it has, and which has no devices.
fn gateway(seen: &Seen) -> Reply {
    let path = seen.path_and_query.as_str();
    if path.contains("/token/get") {
        return token();
    }
    if path.starts_with("/connect-service/v2.1/products?") {
        assert_eq!(seen.json()["projection"], json!(["productKey", "biDirectionalAuth"]));
        let product = |key: &str, mutual| json!({"productKey": key, "biDirectionalAuth": mutual, "productSecret": "hunter3"});
        return ok(&json!({
            "data": [product("b", true), product("c", false), product("a", true), {"productKey": "d"}],
            "pagination": {"pageNo": 1, "pageSize": 50, "totalSize": 4},
        }));
    }
    if path.starts_with("/connect-service/v2.1/devices?") {
        return search(seen);
    }
    list(path)
}

fn search(seen: &Seen) -> Reply {
    let request = seen.json();
    assert!(request["projection"].as_array().unwrap().contains(&json!("deviceKey")));
    assert!(!request["projection"].to_string().contains("ecret"));
    let (product, count) = match request["expression"].as_str().unwrap() {
        "productKey='a'" => ("a", 60),
        "productKey='b'" => ("b", 3),
        "productKey='d'" => ("d", 0),
        other => panic!("{other}"),
    };
    let size = request["pagination"]["pageSize"].as_u64().unwrap();
    let first = (request["pagination"]["pageNo"].as_u64().unwrap() - 1) * size;
    let rows: Vec<Value> = (first..count.min(first + size))
        .map(|n| {
            json!({"assetId": format!("{product}{n}"), "productKey": product,
                        "deviceKey": n.to_string(), "deviceName": {"defaultValue": "pump"}})
        })
        .collect();
    ok(&json!({"data": rows, "pagination": {"totalSize": count, "sortedBy": []}}))
}

fn list(path: &str) -> Reply {
    let url = url::Url::parse(&format!("http://x{path}")).unwrap();
    let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    assert_eq!((query["action"].as_str(), query["orgId"].as_str()), ("list", "o1"));
    let name = match query.get("assetId") {
        Some(asset) => asset.clone(),
        None => format!("{}-{}", query["productKey"], query["deviceKey"]),
    };
    ok(&json!({"data": [{
        "certSN": name, "certStatus": 0, "expireDate": 1_766_073_600_000_i64, "issueAuthority": "RSA",
    }]}))
}

#[tokio::test]
async fn pages_run_through_the_products_with_mutual_tls() {
    let fake = Fake::start(|_, seen| gateway(seen)).await;
    let source = source(&fake, Target::Products(None));
    let slices = source.slices(Window::All).await.unwrap();
    assert_eq!((slices[0].scope.as_ref(), slices[0].kind), ("o1", Some(Kind::Device)));
    let mut offset = 0;
    let mut sizes = Vec::new();
    let mut rows = Vec::new();
    let mut holders = Vec::new();
    loop {
        let page = source.page(&slices[0], offset).await.unwrap();
        assert_eq!((page.total, page.rejected.len()), (63, 0));
        sizes.push(page.rows.len());
        offset += u64::try_from(page.rows.len()).unwrap();
        rows.extend(page.rows);
        holders.extend(page.sightings.owned().into_iter().map(|seen| seen.holder));
        if offset >= page.total {
            break;
        }
    }
    assert_eq!(sizes, [50, 13]);
    rows.sort_unstable();
    rows.dedup();
    assert_eq!(rows.len(), 63);
    assert_eq!((holders[0].as_str(), holders[62].as_str()), ("a/0", "b/2"));
}

#[tokio::test]
async fn an_offset_in_the_middle_of_a_page_returns_the_rest_of_it() {
    let fake = Fake::start(|_, seen| gateway(seen)).await;
    let keys = vec!["a".to_owned(), "b".to_owned()];
    let source = source(&fake, Target::Products(Some(keys)));
    let slices = source.slices(Window::All).await.unwrap();
    // Even as the first page asked for, as after a restart.
    let page = source.page(&slices[0], 55).await.unwrap();
    assert_eq!((page.rows.len(), page.total), (8, 63));
    assert_eq!(page.sightings.owned()[0].holder, "a/55");
    let page = source.page(&slices[0], 63).await.unwrap();
    assert_eq!((page.rows.len(), page.total), (0, 63));
}

#[tokio::test]
async fn a_total_that_changes_is_told() {
    let fake = Fake::start(|number, seen| {
        if !seen.path_and_query.contains("/devices?") {
            return gateway(seen);
        }
        let total = if number < 3 { 60 } else { 59 };
        let rows: Vec<Value> =
            (0..9).map(|n| json!({"productKey": "a", "deviceKey": n.to_string()})).collect();
        ok(&json!({"data": rows, "pagination": {"totalSize": total}}))
    })
    .await;
    let source = source(&fake, Target::Products(Some(vec!["a".into()])));
    let slices = source.slices(Window::All).await.unwrap();
    let first = source.page(&slices[0], 0).await.unwrap();
    let second = source.page(&slices[0], 50).await.unwrap();
    assert_eq!((first.total, second.total), (60, 59));
}

#[tokio::test]
async fn configured_devices_are_named_either_way() {
    let fake = Fake::start(|_, seen| gateway(seen)).await;
    let devices = vec![
        Device { asset_id: "zhD6Kpfs".into(), ..Device::default() },
        Device { product_key: "pk 1".into(), device_key: "dev/键+1".into(), ..Device::default() },
    ];
    let source = source(&fake, Target::Devices(devices));
    let slices = source.slices(Window::All).await.unwrap();
    let page = source.page(&slices[0], 0).await.unwrap();
    assert_eq!((page.total, page.rows.len()), (2, 2));
    let told: Vec<_> = page.sightings.iter().map(|seen| (seen.holder, seen.serial)).collect();
    assert_eq!(told, [("zhD6Kpfs", "zhD6Kpfs"), ("pk 1/dev/键+1", "pk 1-dev/键+1")]);
    assert_eq!(source.page(&slices[0], 2).await.unwrap().rows.len(), 0);
}

fn near() -> Window {
    let now = Timestamp::from_seconds(1_763_827_200);
    Window::Near { from: now.plus(-30 * 86_400), to: now.plus(45 * 86_400) }
}

/// Reads every page of a window as a scan does, and answers with the calls for certificates that it took.
async fn scan(source: &Enos, fake: &Fake, window: Window) -> usize {
    let calls = || {
        let seen = fake.seen();
        seen.iter().filter(|seen| seen.path_and_query.contains("certificates")).count()
    };
    let before = calls();
    let slice = source.slices(window).await.unwrap().remove(0);
    let mut offset = 0;
    loop {
        let page = source.page(&slice, offset).await.unwrap();
        source.restore(&slice.scope, &page.checkpoints);
        offset += u64::try_from(page.rows.len()).unwrap();
        if offset >= page.total {
            return calls() - before;
        }
    }
}

#[tokio::test]
async fn a_near_scan_asks_only_for_devices_that_are_due() {
    // Devices 0 to 4 of product `a` end soon, the others late.
    let fake = Fake::start(|_, seen| {
        let path = seen.path_and_query.as_str();
        if !path.contains("certificates") {
            return gateway(seen);
        }
        let (rest, key) = path.split_once("deviceKey=").unwrap();
        let key: String = key.chars().take_while(char::is_ascii_digit).collect();
        let soon = path.contains("productKey=a") && key.parse::<u32>().unwrap() < 5;
        let end = if soon { 1_766_073_600_000_i64 } else { 1_866_073_600_000 };
        let rows = json!([{"certSN": format!("{rest}{key}"), "certStatus": 0, "expireDate": end}]);
        ok(&json!({"data": rows}))
    })
    .await;
    let source = source(&fake, Target::Products(None));
    assert_eq!(scan(&source, &fake, near()).await, 63, "nobody was asked for before");
    assert_eq!(scan(&source, &fake, Window::All).await, 0, "the first full scan goes on");
    assert_eq!(scan(&source, &fake, near()).await, 5);
    assert_eq!(scan(&source, &fake, near()).await, 5);
    assert_eq!(scan(&source, &fake, Window::All).await, 63);
    assert_eq!(scan(&source, &fake, near()).await, 5);
}

#[tokio::test]
async fn a_page_that_was_not_handed_on_is_asked_for_again() {
    let fake = Fake::start(|_, seen| gateway(seen)).await;
    let source = source(&fake, Target::Products(None));
    let slice = source.slices(Window::All).await.unwrap().remove(0);
    let lost = source.page(&slice, 0).await.unwrap();
    let again = source.page(&slice, 0).await.unwrap();
    assert_eq!((lost.sightings.len(), again.sightings.len()), (50, 50));
    source.restore(&slice.scope, &again.checkpoints);
    let page = source.page(&slice, 0).await.unwrap();
    assert_eq!((page.rows.len(), page.sightings.len(), page.total), (50, 0, 63));
    source.restore("another", &lost.checkpoints);
}

#[tokio::test]
async fn what_could_not_be_read_before_does_not_fail_a_near_scan_of_few() {
    let broken = Arc::new(std::sync::atomic::AtomicUsize::new(2));
    let bound = Arc::clone(&broken);
    let fake = Fake::start(move |_, seen| {
        let path = seen.path_and_query.as_str();
        let bound = bound.load(std::sync::atomic::Ordering::Relaxed);
        let is_bad = |key: usize| path.ends_with(&format!("deviceKey={key}"));
        if path.contains("productKey=a") && (0..bound).any(is_bad) {
            return Reply::json(&json!({"code": 99400, "msg": "Query cert is failed!"}));
        }
        gateway(seen)
    })
    .await;
    let source = source(&fake, Target::Products(Some(vec!["a".into()])));
    // The client asks for each of the two three times.
    assert_eq!(scan(&source, &fake, Window::All).await, 58 + 2 * 3);
    // They stay unread, and are asked for each time.
    let to = Timestamp::from_seconds(1_763_827_200);
    let window = Window::Near { from: to.plus(-60), to };
    assert_eq!(scan(&source, &fake, window).await, 2 * 3);
    // Now those that could be read cannot be: it is not the devices.
    broken.store(60, std::sync::atomic::Ordering::Relaxed);
    let slice = source.slices(near()).await.unwrap().remove(0);
    let error = source.page(&slice, 0).await.unwrap_err();
    assert!(matches!(error, SourceError::Unavailable(_)), "{error}");
}

/// Answers the calls for certificates with `answer`, which gets the device's key.
async fn answering(answer: fn(&str) -> Option<(i64, &'static str)>) -> Result<Page, SourceError> {
    let fake = Fake::start(move |_, seen| {
        if !seen.path_and_query.contains("certificates") {
            return gateway(seen);
        }
        let key = seen.path_and_query.split("deviceKey=").nth(1).unwrap();
        match answer(key) {
            Some((code, message)) => Reply::json(&json!({"code": code, "msg": message})),
            None => gateway(seen),
        }
    })
    .await;
    let source = source(&fake, Target::Products(Some(vec!["b".into()])));
    let slices = source.slices(Window::All).await.unwrap();
    source.page(&slices[0], 0).await
}

#[tokio::test]
async fn a_device_that_is_gone_has_no_certificates() {
    let page =
        answering(|key| (key == "1").then_some((11404, "Device cannot be found"))).await.unwrap();
    assert_eq!((page.rows.len(), page.sightings.len(), page.rejected.len()), (3, 2, 0));
}

#[tokio::test]
async fn one_device_that_cannot_be_read_is_one_rejected_row() {
    let page =
        answering(|key| (key == "1").then_some((99400, "Query cert is failed!"))).await.unwrap();
    assert_eq!((page.rows.len(), page.sightings.len()), (3, 2));
    assert_eq!(
        page.rejected,
        [Rejected { reason: Reason::Unreadable, what: "the certificates of b/1".into() }]
    );
}

#[tokio::test]
async fn an_authority_that_is_down_is_a_failed_page() {
    let error = answering(|_| Some((99400, "Call ca error!"))).await.unwrap_err();
    assert!(matches!(error, SourceError::Unavailable(_)), "{error}");
    let error = answering(|_| Some((99500, "Internal error"))).await.unwrap_err();
    assert!(matches!(error, SourceError::Unavailable(_)), "{error}");
    let error = answering(|_| Some((99403, "no permission"))).await.unwrap_err();
    assert!(matches!(error, SourceError::Refused(_)), "{error}");
    assert!(!format!("{error} {error:?}").contains("hunter"));
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_is_what_the_kind_states() {
    let options = "endpoint = 'https://apim.test'\norg_id = 'o1'\n\
                   app_key = { env = 'ID' }\napp_secret = { env = 'KEY' }";
    crate::source::sent::sends_what_it_states(&KIND, options, |seen| {
        // Half of its time is over at the third scan.
        if seen.path_and_query.contains("/token/") {
            let granted = json!({"accessToken": "t-1", "expire": 600});
            return Reply::json(&json!({"status": 0, "data": granted}));
        }
        gateway(seen)
    })
    .await;
}
