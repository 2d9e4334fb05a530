use serde_json::{Value, json};

use super::*;
use crate::client::fake::{Fake, Reply as Answer, Seen};
use crate::expiry::Timestamp;
use crate::source::tencent::client_of;

mod regions;

const SPAN: crate::source::Span =
    (Timestamp::from_seconds(1_763_000_000), Timestamp::from_seconds(1_767_000_000));
const NEAR: Window = Window::Near { from: SPAN.0, to: SPAN.1 };

fn source(fake: &Fake, instances: Option<&[&str]>) -> TencentMqtt {
    let instances = instances.map(|ids| ids.iter().map(|id| (*id).to_owned()).collect());
    TencentMqtt::new(client_of(fake, &SERVICE, Some("ap-guangzhou")), instances)
}

fn error(code: &str) -> Answer {
    Answer::json(&json!({"Response": {"Error": {"Code": code, "Message": "no"}, "RequestId": "r"}}))
}

fn ok(content: &Value) -> Answer {
    Answer::json(&json!({"Error": null, "RequestId": null, "Response": content}))
}

/// How the server treats the filter by time.
#[derive(Clone, Copy)]
enum Filtering {
    Millis,
    Seconds,
    Ignored,
}

/// Lists certificates that end at `ends`, in seconds.
fn list(seen: &Seen, ends: &[i64], filtering: Filtering) -> Answer {
    let request = seen.json();
    let bound = |name: &str| {
        let filters = request["Filters"].as_array()?;
        let filter = filters.iter().find(|filter| filter["Name"] == name)?;
        filter["Values"][0].as_str()?.parse::<i64>().ok()
    };
    let unit = match filtering {
        Filtering::Millis => 1000,
        Filtering::Seconds => 1,
        Filtering::Ignored => 0,
    };
    let from = bound("NotAfterStart").filter(|_| unit > 0).unwrap_or(i64::MIN);
    let to = bound("NotAfterEnd").filter(|_| unit > 0).unwrap_or(i64::MAX);
    let held: Vec<Value> = ends
        .iter()
        .filter(|&&end| (from..=to).contains(&(end * unit)))
        .map(|end| {
            json!({"ClientId": format!("c-{end}"), "DeviceCertificateSn": format!("{end:x}"),
                   "CaSn": "ca", "Status": "ACTIVE", "NotAfterTime": end * 1000})
        })
        .collect();
    let offset = usize::try_from(request["Offset"].as_u64().unwrap()).unwrap();
    let limit = usize::try_from(request["Limit"].as_u64().unwrap()).unwrap();
    let rows: Vec<&Value> = held.iter().skip(offset).take(limit).collect();
    ok(&json!({"TotalCount": held.len(), "Data": rows}))
}

const ENDS: [i64; 3] = [1_760_000_000, 1_765_000_000, 1_790_000_000];

async fn listing(filtering: Filtering) -> Fake {
    Fake::start(move |_, seen| match seen.header("x-tc-action") {
        "DescribeDeviceCertificates" => list(seen, &ENDS, filtering),
        _ => ok(&json!({"Data": [{"CaSn": "ca", "CaCn": "root", "Status": "ACTIVE"}]})),
    })
    .await
}

#[tokio::test]
async fn a_trusted_filter_reads_the_near_window_alone() {
    for filtering in [Filtering::Millis, Filtering::Seconds] {
        let fake = listing(filtering).await;
        let source = source(&fake, Some(&["mqtt-1"]));
        let slices = source.slices(NEAR).await.unwrap();
        let told: Vec<_> =
            slices.iter().map(|s| (s.kind, s.within, s.cuttable, s.limit, s.overlap)).collect();
        assert_eq!(
            told,
            [
                (Some(Kind::Ca), None, false, u64::MAX, 0),
                (Some(Kind::Device), Some(SPAN), true, 100, 10)
            ]
        );
        assert!(slices.iter().all(|slice| slice.window == NEAR));
        let page = source.page(&slices[1], 0).await.unwrap();
        assert_eq!((page.total, page.sightings.len(), page.rejected.len()), (1, 1, 0));
        // The probe is remembered for the day.
        let requests = fake.seen().len();
        source.slices(NEAR).await.unwrap();
        assert_eq!(fake.seen().len(), requests);
    }
}

#[tokio::test]
async fn ends_in_another_zone_than_documented_are_not_believed() {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    parameters.not_after = rcgen::date_time_ymd(2035, 1, 1);
    let pem = parameters.self_signed(&key).unwrap().pem();
    let end = 2_051_222_400_i64;
    for (stated, believed) in [(end, true), (end + 8 * 3600, false)] {
        let row = json!({"DeviceCertificateSn": "1", "CaSn": "ca", "Status": "ACTIVE",
                         "NotAfterTime": stated * 1000, "DeviceCertificate": pem});
        let fake =
            Fake::start(move |_, _| ok(&json!({"TotalCount": 1, "Data": [row.clone()]}))).await;
        let slices = source(&fake, Some(&["mqtt-1"])).slices(Window::All).await;
        assert_eq!(slices.is_ok(), believed, "{stated}");
        if let Err(error) = slices {
            insta::assert_snapshot!(error, @"malformed answer: mqtt-1: the stated end is 8 hours off: another zone; nothing is taken from it, please report this");
        }
    }
}

#[tokio::test]
async fn an_ignored_filter_reads_everything() {
    let fake = listing(Filtering::Ignored).await;
    let source = source(&fake, Some(&["mqtt-1"]));
    let slices = source.slices(NEAR).await.unwrap();
    assert_eq!((slices[1].within, slices[1].cuttable), (None, false));
    let page = source.page(&slices[1], 0).await.unwrap();
    assert_eq!((page.total, page.sightings.len(), page.rejected.len()), (3, 3, 0));
}

#[tokio::test]
async fn a_filter_that_stops_working_is_tried_again() {
    let fake = listing(Filtering::Ignored).await;
    let source = source(&fake, Some(&["mqtt-1"]));
    source.learn_filter("mqtt-1", Some(Unit::Millis));
    let slices = source.slices(NEAR).await.unwrap();
    assert_eq!(slices[1].within, Some(SPAN));
    let page = source.page(&slices[1], 0).await.unwrap();
    assert_eq!((page.sightings.len(), page.rejected.len(), page.rows.len()), (1, 2, 3));
    let slices = source.slices(NEAR).await.unwrap();
    assert_eq!(slices[1].within, None);
}

#[tokio::test]
async fn the_whole_is_paged_by_offset_and_can_be_cut_where_the_filter_works() {
    let fake = listing(Filtering::Millis).await;
    let source = source(&fake, Some(&["mqtt-1", "mqtt-2"]));
    let slices = source.slices(Window::All).await.unwrap();
    assert_eq!((slices.len(), slices[3].within, slices[3].cuttable), (4, None, true));
    let probed = fake.seen().len();
    let page = source.page(&slices[3], 2).await.unwrap();
    assert_eq!((page.total, page.rows.len()), (3, 1));
    let request = fake.seen()[probed].json();
    assert_eq!(
        request,
        json!({"InstanceId": "mqtt-2", "Limit": 100, "Offset": 2, "OrderBy": "CREATE_TIME_ASC"})
    );
    let authorities = source.page(&slices[2], 0).await.unwrap();
    assert_eq!((authorities.total, authorities.sightings.owned()[0].kind), (1, Kind::Ca));
}

#[tokio::test]
async fn answers_that_are_too_large_halve_the_page() {
    let fake = Fake::start(|_, seen| match seen.json()["Limit"].as_u64().unwrap() {
        26.. => error("ResponseSizeLimitExceeded"),
        _ => list(seen, &ENDS, Filtering::Millis),
    })
    .await;
    let source = source(&fake, Some(&["mqtt-1"]));
    let slices = source.slices(Window::All).await.unwrap();
    source.page(&slices[1], 0).await.unwrap();
    let limits: Vec<u64> =
        fake.seen().iter().map(|seen| seen.json()["Limit"].as_u64().unwrap()).collect();
    // The first is the probe's, which cannot tell anything yet.
    assert_eq!((slices[1].cuttable, limits), (false, vec![100, 100, 50, 25]));
    let slices = source.slices(Window::All).await.unwrap();
    assert_eq!((slices[1].cuttable, slices[1].limit), (true, 25));
}

#[tokio::test]
async fn more_rows_than_asked_for_break_the_contract() {
    let fake = Fake::start(|_, _| {
        let rows: Vec<Value> =
            (0..101).map(|n| json!({"DeviceCertificateSn": n.to_string()})).collect();
        ok(&json!({"TotalCount": 101, "Data": rows}))
    })
    .await;
    let source = source(&fake, Some(&["mqtt-1"]));
    let slices = source.slices(Window::All).await.unwrap();
    let error = source.page(&slices[1], 0).await.unwrap_err();
    assert!(matches!(error, SourceError::Malformed(_)), "{error}");
}

#[tokio::test]
async fn discovery_keeps_what_has_certificates() {
    let fake = Fake::start(|_, seen| match seen.header("x-tc-action") {
        "DescribeInstanceList" => {
            let instance = |id: &str, status: &str| {
                json!({"InstanceId": id, "InstanceStatus": status, "CreateTime": 1_741_832_627})
            };
            // Two pages, with a row that appears on both.
            let rows = if seen.json()["Offset"] == 0 {
                vec![
                    instance("mqtt-byoc", "RUNNING"),
                    instance("mqtt-tls", "RUNNING"),
                    instance("mqtt-new", "CREATING"),
                    instance("mqtt-mtls", "OVERDUE"),
                ]
            } else {
                vec![instance("mqtt-mtls", "OVERDUE"), instance("mqtt-basic", "RUNNING")]
            };
            ok(&json!({"TotalCount": 5, "Data": rows}))
        }
        "DescribeInstance" => match seen.json()["InstanceId"].as_str().unwrap() {
            "mqtt-byoc" => ok(&json!({"X509Mode": "BYOC", "RegistrationCode": "hunter2"})),
            "mqtt-tls" => ok(&json!({"X509Mode": "TLS"})),
            "mqtt-mtls" => ok(&json!({"X509Mode": "mTLS"})),
            _ => error("InvalidParameter.InstanceTypeNotMatch"),
        },
        other => panic!("{other}"),
    })
    .await;
    let source = source(&fake, None);
    let told = |slices: Vec<Slice>| -> Vec<(String, Option<Kind>)> {
        slices.into_iter().map(|slice| (slice.scope.to_string(), slice.kind)).collect()
    };
    let expected = [
        ("mqtt-byoc".to_owned(), Some(Kind::Ca)),
        ("mqtt-byoc".to_owned(), Some(Kind::Device)),
        ("mqtt-mtls".to_owned(), Some(Kind::Ca)),
    ];
    assert_eq!(told(source.slices(Window::All).await.unwrap()), expected);
    let described =
        || fake.seen().iter().filter(|s| s.header("x-tc-action") == "DescribeInstance").count();
    assert_eq!(described(), 4);
    assert_eq!(told(source.slices(Window::All).await.unwrap()), expected);
    assert_eq!(described(), 4);
}

#[tokio::test]
async fn an_instance_that_cannot_be_described_is_read_anyway() {
    let fake = Fake::start(|_, seen| match seen.header("x-tc-action") {
        "DescribeInstanceList" => {
            ok(&json!({"TotalCount": 1, "Data": [{"InstanceId": "mqtt-1", "InstanceStatus": "RUNNING"}]}))
        }
        _ => error("FailedOperation.InstanceNotReady"),
    })
    .await;
    let slices = source(&fake, None).slices(Window::All).await.unwrap();
    assert_eq!(slices.len(), 2);
}

#[tokio::test]
async fn a_failed_discovery_is_a_failed_scan() {
    for (answer, needs_a_person) in
        [("UnauthorizedOperation", true), ("InvalidParameterValue", true), ("InternalError", false)]
    {
        let fake = Fake::start(move |_, _| error(answer)).await;
        let error = source(&fake, None).slices(Window::All).await.unwrap_err();
        assert_eq!(error.needs_a_person(), needs_a_person, "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}

#[tokio::test]
async fn absence_is_confirmed_in_all_its_shapes() {
    type Case = (fn() -> Answer, Result<Presence, bool>);
    let cases: [Case; 10] = [
        (|| error("ResourceNotFound.Certificate"), Ok(Presence::NotFound)),
        (|| error("ResourceNotFound"), Ok(Presence::NotFound)),
        (|| ok(&json!({"RequestId": "r"})), Ok(Presence::NotFound)),
        (|| ok(&json!({"DeviceCertificateSn": null})), Ok(Presence::NotFound)),
        (|| ok(&json!({"DeviceCertificateSn": "0eef"})), Ok(Presence::Present)),
        (|| ok(&json!({"DeviceCertificateSn": "another"})), Err(false)),
        (|| ok(&json!({"DeviceCertificateSn": "0eef", "CaSn": "ca-2"})), Ok(Presence::NotFound)),
        (|| ok(&json!({"DeviceCertificateSn": "0eef", "CaSn": "ca-1"})), Ok(Presence::Present)),
        (|| ok(&json!({"DeviceCertificateSn": "0eef", "CaSn": null})), Ok(Presence::Present)),
        (|| error("ResourceNotFound.Instance"), Err(true)),
    ];
    for (answer, expected) in cases {
        let fake = Fake::start(move |_, seen| match seen.header("x-tc-action") {
            "DescribeDeviceCertificate" => answer(),
            _ => ok(&json!({"Data": []})),
        })
        .await;
        let told = source(&fake, Some(&["mqtt-1"])).confirm("mqtt-1", "ca-1", "0eef").await;
        assert_eq!(told.map_err(|error| error.needs_a_person()), expected);
    }
}

#[tokio::test]
async fn the_vendors_sample_is_present() {
    let body = std::fs::read(format!(
        "{}/tests/fixtures/tencent-mqtt/DescribeDeviceCertificate.json",
        env!("CARGO_MANIFEST_DIR")
    ))
    .unwrap();
    let fake = Fake::start(move |_, seen| match seen.header("x-tc-action") {
        "DescribeDeviceCertificate" => Answer::new(200, body.clone()),
        _ => ok(&json!({"Data": []})),
    })
    .await;
    let source = source(&fake, Some(&["mqtt-1"]));
    let serial = "0eef68a582b94254296e54ce754f94d707a59911";
    assert_eq!(source.confirm("mqtt-1", "", serial).await.unwrap(), Presence::Present);
}

#[tokio::test]
async fn authorities_are_confirmed_by_their_list() {
    let fake = Fake::start(|number, seen| match seen.header("x-tc-action") {
        "DescribeCaCertificates" if number < 2 => {
            ok(&json!({"Data": [{"CaSn": "ca-1", "Status": "ACTIVE"}]}))
        }
        "DescribeCaCertificates" => ok(&json!({"Data": []})),
        other => panic!("{other}"),
    })
    .await;
    let source = source(&fake, Some(&["mqtt-1"]));
    assert_eq!(source.confirm("mqtt-1", "", "ca-1").await.unwrap(), Presence::Present);
    assert_eq!(source.confirm("mqtt-1", "", "ca-1").await.unwrap(), Presence::NotFound);
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_is_what_the_kind_states() {
    let options =
        "region = 'ap-guangzhou'\nsecret_id = { env = 'ID' }\nsecret_key = { env = 'KEY' }";
    crate::source::sent::sends_what_it_states(&KIND, options, |seen| {
        match seen.header("x-tc-action") {
            "DescribeInstanceList" => {
                let listed = json!([{"InstanceId": "mqtt-1", "InstanceStatus": "RUNNING"}]);
                ok(&json!({"TotalCount": 1, "Data": listed}))
            }
            "DescribeInstance" => ok(&json!({"X509Mode": "BYOC"})),
            "DescribeDeviceCertificates" => list(seen, &ENDS, Filtering::Millis),
            "DescribeDeviceCertificate" => {
                let serial = &seen.json()["DeviceCertificateSn"];
                ok(&json!({"DeviceCertificateSn": serial, "NotAfterTime": 1_766_073_600_000_i64}))
            }
            "DescribeCaCertificates" => ok(&json!({"Data": []})),
            "DescribeInsPublicEndpoints" => ok(&json!({"Endpoints": []})),
            other => panic!("{other}"),
        }
    })
    .await;
}

#[tokio::test]
async fn its_endpoints_are_those_of_every_instance_that_are_open_and_in_tls() {
    let fake = Fake::start(|_, seen| match seen.header("x-tc-action") {
        "DescribeInstanceList" => {
            let row = |id, status| json!({"InstanceId": id, "InstanceStatus": status});
            let rows =
                [row("mqtt-1", "RUNNING"), row("mqtt-2", "RUNNING"), row("mqtt-3", "DELETING")];
            ok(&json!({"TotalCount": 3, "Data": rows}))
        }
        "DescribeInsPublicEndpoints" => {
            let id = seen.json()["InstanceId"].as_str().unwrap().to_owned();
            let row = |kind, port| json!({"Type": kind, "Url": format!("{id}.example:{port}")});
            match id.as_str() {
                "mqtt-1" => {
                    ok(&json!({"Endpoints": [row("mqtt-tcp", 1883), row("mqtt-tls", 8883)]}))
                }
                "mqtt-2" => ok(&json!({"Endpoints": null})),
                "mqtt-4" => error("ResourceNotFound.Instance"),
                _ => error("UnauthorizedOperation"),
            }
        }
        other => panic!("{other}"),
    })
    .await;
    let endpoints = source(&fake, None).endpoints().await.unwrap();
    assert_eq!(endpoints, ["mqtt-1.example:8883"]);
    let named = source(&fake, Some(&["mqtt-4", "mqtt-1"]));
    assert_eq!(named.endpoints().await.unwrap(), ["mqtt-1.example:8883"]);
    let refused = source(&fake, Some(&["mqtt-1", "mqtt-5"])).endpoints().await;
    assert!(matches!(refused, Err(SourceError::Refused(_))), "{refused:?}");
}
