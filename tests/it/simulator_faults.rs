//! The simulator misbehaves as it is told to, and keeps count.

#![expect(clippy::unwrap_used, reason = "a test that cannot ask has failed")]

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::asking::Caller;
use crate::simulator_itself::{INSTANCE, LIST, caller, list, start};
use simulator::clock::wall_seconds;
use simulator::fault::{Fault, Place, Times};
use simulator::fleet::Fleet;
use simulator::{SECRET_KEY, Service, Setup, Simulator};

/// Pages through an instance as a naive client does, and returns the serials that it saw.
async fn naive_scan(simulator: &Simulator, order: &str) -> Vec<String> {
    let caller = caller();
    let mut seen = Vec::new();
    loop {
        let body = json!({
            "InstanceId": INSTANCE, "Limit": 100, "Offset": seen.len(), "OrderBy": order
        });
        let page = caller.mqtt(simulator, LIST, &body).await.unwrap().json();
        let rows = page["Response"]["Data"].as_array().unwrap().clone();
        seen.extend(rows.iter().map(|row| row["DeviceCertificateSn"].as_str().unwrap().to_owned()));
        let total = page["Response"]["TotalCount"].as_u64().unwrap();
        if rows.is_empty() || seen.len() as u64 >= total {
            return seen;
        }
    }
}

async fn missed_while_drifting(insert: u64, delete: u64, order: &str) -> (usize, usize) {
    let fleet = Fleet::new(3, wall_seconds()).with_instance(INSTANCE, 10_000);
    let simulator = Simulator::start(Setup::new(fleet)).await.unwrap();
    let before: BTreeSet<String> = serials(&simulator);
    let drift = Fault::Drift { insert, delete, place: Place::Random };
    simulator.fault_on(Service::Mqtt, LIST, drift, Times::Always);
    let seen = naive_scan(&simulator, order).await;
    let distinct: BTreeSet<String> = seen.iter().cloned().collect();
    let still_there: BTreeSet<String> =
        serials(&simulator).intersection(&before).cloned().collect();
    (still_there.difference(&distinct).count(), seen.len() - distinct.len())
}

fn serials(simulator: &Simulator) -> BTreeSet<String> {
    simulator.mqtt().truth(INSTANCE).into_iter().map(|truth| truth.serial).collect()
}

#[tokio::test]
async fn a_naive_scan_of_a_list_at_rest_sees_each_row_once() {
    assert_eq!(missed_while_drifting(0, 0, "CREATE_TIME_ASC").await, (0, 0));
    assert_eq!(missed_while_drifting(0, 0, "CREATE_TIME_DESC").await, (0, 0));
}

#[tokio::test]
async fn a_naive_scan_misses_rows_when_others_are_deleted_meanwhile() {
    let (missed, twice) = missed_while_drifting(1, 0, "CREATE_TIME_ASC").await;
    assert_eq!((missed, twice), (0, 0), "inserted rows land at the end");
    let (missed, twice) = missed_while_drifting(0, 1, "CREATE_TIME_ASC").await;
    assert!(
        (20..90).contains(&missed),
        "{missed} missed, about half of the 100 deletions were before the page"
    );
    assert_eq!(twice, 0);
    let (missed, twice) = missed_while_drifting(1, 0, "CREATE_TIME_DESC").await;
    assert_eq!(missed, 0);
    assert!(twice >= 100, "{twice} rows were seen twice");
}

#[tokio::test]
async fn answers_that_are_not_the_answer() {
    let simulator = start().await;
    let table = [
        (Fault::Throttle, 200, "RequestLimitExceeded"),
        (
            Fault::Code("RequestLimitExceeded.UinLimitExceeded"),
            200,
            "RequestLimitExceeded.UinLimitExceeded",
        ),
        (Fault::Code("InternalError"), 200, "InternalError"),
        (Fault::Status(429), 429, ""),
        (Fault::Status(503), 503, ""),
        (Fault::Html { status: 200 }, 200, ""),
        (Fault::Html { status: 502 }, 502, ""),
        (Fault::ExpiredToken, 200, "AuthFailure.TokenFailure"),
        (Fault::ClockSkew(301), 200, "AuthFailure.SignatureExpire"),
        (Fault::ClockSkew(-301), 200, "AuthFailure.SignatureExpire"),
    ];
    for (fault, status, code) in table {
        simulator.fault(Service::Mqtt, fault.clone(), Times::Once);
        let came = list(&simulator, &json!({})).await;
        assert_eq!((came.status, came.code().as_str()), (status, code), "{fault:?}");
        assert_eq!(came.text.starts_with('{'), status == 200 && !code.is_empty(), "{fault:?}");
        assert_eq!(list(&simulator, &json!({})).await.code(), "", "{fault:?} is over");
    }
}

#[tokio::test]
async fn a_skewed_clock_shows_in_the_date_header() {
    let simulator = start().await;
    simulator.fault(Service::Mqtt, Fault::ClockSkew(3600), Times::Always);
    let came = list(&simulator, &json!({})).await;
    let date = chrono::DateTime::parse_from_rfc2822(&came.date).unwrap().timestamp();
    assert!((date - wall_seconds() - 3600).abs() <= 5, "{}", came.date);
    let mut ahead = caller();
    ahead.skew = date - wall_seconds();
    let came = ahead.mqtt(&simulator, LIST, &json!({"InstanceId": INSTANCE})).await.unwrap();
    assert_eq!(came.code(), "", "a client that corrects its clock is heard");
}

#[tokio::test]
async fn answers_that_do_not_arrive() {
    let simulator = start().await;
    let hasty = Caller::patient_for(Duration::from_millis(300));
    let body = json!({"InstanceId": INSTANCE, "Limit": 100});
    for fault in [Fault::Hang, Fault::Reset, Fault::ResetInBody, Fault::Truncate] {
        simulator.fault(Service::Mqtt, fault.clone(), Times::Once);
        let error = hasty.mqtt(&simulator, LIST, &body).await.err().expect("it must not arrive");
        assert_eq!(error.is_timeout(), fault == Fault::Hang, "{fault:?}: {error:?}");
        let in_body = matches!(fault, Fault::ResetInBody | Fault::Truncate);
        assert_eq!(error.is_body() || error.is_decode(), in_body, "{fault:?}: {error:?}");
    }
    assert_eq!(list(&simulator, &json!({})).await.code(), "");
}

#[tokio::test]
async fn bodies_that_are_too_large() {
    let simulator = start().await;
    let bytes = 20 * 1024 * 1024;
    let table = [
        Fault::Oversize { bytes, declared: true },
        Fault::Oversize { bytes, declared: false },
        Fault::GzipBomb { bytes },
    ];
    for fault in table {
        simulator.fault(Service::Mqtt, fault.clone(), Times::Once);
        let came = list(&simulator, &json!({})).await;
        assert!(came.text.len() as u64 >= bytes, "{fault:?}: {}", came.text.len());
        assert_eq!(
            came.json()["Response"]["Data"].as_array().map(Vec::len),
            Some(100),
            "{fault:?}"
        );
    }
}

#[tokio::test]
async fn answers_that_break_the_contract() {
    let simulator = start().await;
    let good = list(&simulator, &json!({})).await.json();
    let total = good["Response"]["TotalCount"].as_i64().unwrap();
    let bent = async |fault: Fault, service: Service| {
        simulator.fault(service, fault, Times::Once);
        list(&simulator, &json!({})).await.json()["Response"].clone()
    };
    assert!(bent(Fault::NullList, Service::Mqtt).await["Data"].is_null());
    assert_eq!(bent(Fault::TotalOff(-7), Service::Mqtt).await["TotalCount"], json!(total - 7));
    let empty = bent(Fault::EmptyPage, Service::Mqtt).await;
    assert_eq!((&empty["Data"], &empty["TotalCount"]), (&json!([]), &json!(total)));
    let rows = bent(Fault::NullFields, Service::Mqtt).await["Data"].clone();
    assert!(rows[0]["Status"].is_null() && rows[0]["DeviceCertificateSn"].is_string());
    assert_eq!(rows[1], good["Response"]["Data"][1]);
    let rows = bent(Fault::NoEnds, Service::Mqtt).await["Data"].clone();
    let ends: Vec<Option<&Value>> = (0..3).map(|row| rows[row].get("NotAfterTime")).collect();
    assert_eq!(ends, [Some(&Value::Null), Some(&json!(0)), None]);
    let rows = bent(Fault::WrongTypes, Service::Mqtt).await["Data"].clone();
    assert_eq!(rows[50]["NotAfterTime"], json!("soon"));
    assert_eq!(rows[49], good["Response"]["Data"][49]);
}

#[tokio::test]
async fn the_page_before_is_served_again() {
    let simulator = start().await;
    let first = list(&simulator, &json!({"Offset": 0})).await.json();
    simulator.fault(Service::Mqtt, Fault::RepeatPage, Times::Once);
    let second = list(&simulator, &json!({"Offset": 100})).await.json();
    assert_eq!(first["Response"]["Data"], second["Response"]["Data"]);
    let third = list(&simulator, &json!({"Offset": 100})).await.json();
    assert_ne!(first["Response"]["Data"], third["Response"]["Data"]);
}

#[tokio::test]
async fn the_filter_by_end_can_be_ignored_or_misread() {
    let simulator = start().await;
    let late = json!({"Filters": [{"Name": "NotAfterStart", "Values": ["253402300799000"]}]});
    let total = async |simulator: &Simulator, filters: &Value| {
        list(simulator, filters).await.json()["Response"]["TotalCount"].as_u64().unwrap()
    };
    assert_eq!(total(&simulator, &late).await, 0);
    simulator.fault(Service::Mqtt, Fault::FilterIgnored, Times::Once);
    assert_eq!(total(&simulator, &late).await, 730);
    simulator.fault(Service::Mqtt, Fault::FilterInSeconds, Times::Always);
    let seconds = wall_seconds().to_string();
    let live = json!({"Filters": [{"Name": "NotAfterStart", "Values": [seconds]}]});
    let from_now = total(&simulator, &live).await;
    simulator.heal();
    let millis =
        json!({"Filters": [{"Name": "NotAfterStart", "Values": [format!("{seconds}000")]}]});
    assert_eq!(from_now, total(&simulator, &millis).await);
    assert!((1..730).contains(&from_now));
}

#[tokio::test]
async fn faults_come_when_they_are_told_to() {
    let simulator = start().await;
    let codes = async |times: Times| {
        simulator.heal();
        simulator.fault(Service::Mqtt, Fault::Code("InternalError"), times);
        let mut failed = Vec::new();
        for request in 1..=6 {
            if list(&simulator, &json!({})).await.code() == "InternalError" {
                failed.push(request);
            }
        }
        failed
    };
    assert_eq!(codes(Times::Once).await, [1]);
    assert_eq!(codes(Times::N(2)).await, [1, 2]);
    assert_eq!(codes(Times::Nth(4)).await, [4]);
    assert_eq!(codes(Times::Every(3)).await, [3, 6]);
    assert_eq!(codes(Times::Always).await, [1, 2, 3, 4, 5, 6]);
    simulator.heal();
    simulator.fault_on(Service::Mqtt, "DescribeInstanceList", Fault::Throttle, Times::Always);
    assert_eq!(list(&simulator, &json!({})).await.code(), "", "the fault is for another action");
}

#[tokio::test]
async fn a_rate_limit_refuses_what_is_above_it_and_the_log_tells() {
    let simulator = start().await;
    simulator.limit(Service::Mqtt, LIST, 3);
    let mut codes = Vec::new();
    let caller = caller();
    for _ in 0..5 {
        let body = json!({"InstanceId": INSTANCE, "Limit": 1});
        codes.push(caller.mqtt(&simulator, LIST, &body).await.unwrap().code());
    }
    let refused = codes.iter().filter(|code| *code == "RequestLimitExceeded").count();
    let log = simulator.log();
    let busiest = log.max_requests_in_any_second(Service::Mqtt, LIST);
    assert_eq!(
        (refused as u64, log.count(Service::Mqtt, LIST)),
        (log.refused(Service::Mqtt, LIST), 5)
    );
    assert_eq!(refused > 0, busiest > 3, "{busiest} in a second, {codes:?}");
    let last = log.last().pop().unwrap();
    assert_eq!((last.action.as_str(), last.service), (LIST, Service::Mqtt));
    let kept = format!("{:?}", log.last());
    assert!(!kept.contains(SECRET_KEY) && !kept.contains("Signature"));
}
