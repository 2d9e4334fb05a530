//! The simulator is what the providers are said to be: judged by the official SDK, by vectors and by its own truth.

#![expect(clippy::unwrap_used, reason = "a test that cannot ask has failed")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::asking::{Caller, Came};
use simulator::clock::wall_seconds;
use simulator::fault::{Fault, Times};
use simulator::fleet::{Fleet, Instance, Truth, X509Mode};
use simulator::mqtt::{Names, NotFound, Status};
use simulator::{
    SECRET_ID, SECRET_KEY, Service, Setup, Simulator, TEMPORARY_ID, TEMPORARY_KEY, TEMPORARY_TOKEN,
};

pub(crate) const INSTANCE: &str = "mqtt-qgzaawn9";
pub(crate) const LIST: &str = "DescribeDeviceCertificates";

pub(crate) fn fleet() -> Fleet {
    Fleet::new(7, wall_seconds())
        .with_instance(INSTANCE, 730)
        .with(Instance::without_devices("mqtt-jbgwp4ae", X509Mode::Mutual))
        .with(Instance::without_devices("mqtt-onewaytl", X509Mode::Tls))
        .with_ssl(120)
        .with_product(260, true)
        .with_product(40, false)
}

/// Starts a small fleet.
pub(crate) async fn start() -> Simulator {
    Simulator::start(Setup::new(fleet())).await.unwrap()
}

pub(crate) fn caller() -> Caller {
    Caller::patient_for(Duration::from_secs(20))
}

#[tokio::test]
async fn the_official_sdk_finds_nothing_wrong() {
    let simulator = start().await;
    mix_names_and_renewals(&simulator);
    judge(&simulator, "drive").await;
}

#[tokio::test]
async fn the_official_sdk_is_throttled_in_each_products_words() {
    let simulator = start().await;
    for service in [Service::Mqtt, Service::Ssl] {
        simulator.fault(service, Fault::Throttle, Times::Always);
    }
    judge(&simulator, "throttled").await;
}

fn mix_names_and_renewals(simulator: &Simulator) {
    let mqtt = simulator.mqtt();
    mqtt.delete(INSTANCE, 100..110);
    mqtt.insert(INSTANCE, 70);
    mqtt.renew(INSTANCE, 17);
    mqtt.set_status(INSTANCE, 30, Status::Revoked);
    let names = Names {
        client_id: "a \"client\"\n{x=\"y\"}".to_owned(),
        common_name: "名字 <at user_id=\"all\">".to_owned(),
        unit: "plant \\ 7".to_owned(),
    };
    mqtt.set_names(INSTANCE, 31, names);
    simulator.ssl().insert(3);
    simulator.ssl().delete(40..42);
}

#[tokio::test]
async fn the_official_sdk_signs_as_the_vectors_say() {
    let table = [
        (
            json!({"host": "mqtt.tencentcloudapi.com", "service": "mqtt", "region": "ap-guangzhou",
                "timestamp": 1_763_827_200, "action": "DescribeInstanceList", "body": "{}"}),
            "44f3e7dfd1d2ec7542ca67b599d9cf671644b7efba78bacdbaa03154304eca30",
        ),
        (
            json!({"host": "mqtt.intl.tencentcloudapi.com", "service": "mqtt", "region": "ap-singapore",
                "timestamp": 1_735_689_599, "action": LIST, "token": TEMPORARY_TOKEN,
                "body": "{\"InstanceId\": \"mqtt-jbgwp4ae\", \"Filters\": [{\"Name\": \"OrganizationalUnit\", \"Values\": [\"\\u8bbe\\u5907\\u7ec4-1\"]}]}"}),
            "7b0e47b2569d7d59f7abdfd0b2e98763d8cf3758e536334432fb508eea674f99",
        ),
    ];
    let lines = table.iter().map(|(case, _)| {
        let mut case = case.clone();
        case["secret_id"] = json!(SECRET_ID);
        case["secret_key"] = json!(SECRET_KEY);
        case["version"] = json!("2024-05-16");
        format!("{case}\n")
    });
    let said = judge_says("sign", lines.collect()).await;
    let headers: Vec<Value> =
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(headers.len(), table.len());
    for (headers, (case, signature)) in headers.iter().zip(table) {
        let made = headers["Authorization"].as_str().unwrap();
        assert!(made.ends_with(&format!("Signature={signature}")), "{made}");
        assert_eq!(headers["Host"], case["host"]);
        assert_eq!(headers.get("X-TC-Token"), case.get("token"));
    }
}

async fn judge(simulator: &Simulator, mode: &str) {
    let said = judge_says(mode, case(simulator).to_string()).await;
    let checks = said.strip_prefix("judge: ").and_then(|rest| rest.strip_suffix(" checks\n"));
    let checks: u32 = checks.and_then(|number| number.parse().ok()).expect("it says how many");
    assert!(checks >= if mode == "drive" { 5000 } else { 18 }, "only {checks} checks");
}

/// Runs the judge with an input, and returns what it printed. Fails with it when the judge found something wrong.
pub(crate) async fn judge_says(mode: &str, input: String) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let target = option_env!("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let python = target.join("venv/bin/python");
    assert!(
        python.exists(),
        "{} is missing: run tests/venv once, it installs the official SDK",
        python.display()
    );
    let mut child = tokio::process::Command::new(python)
        .arg(root.join("tests/it/judge/judge.py"))
        .arg(mode)
        .env_remove("http_proxy")
        .env_remove("HTTP_PROXY")
        .env("NO_PROXY", "127.0.0.1")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).await.unwrap();
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}{errors}");
    said
}

/// What the judge compares with.
fn case(simulator: &Simulator) -> Value {
    let device = |it: Truth| {
        json!([
            it.issuer,
            it.serial,
            it.said_not_after,
            it.status,
            it.holder,
            it.common_name,
            it.unit
        ])
    };
    let mut devices = Vec::new();
    simulator.mqtt().each_truth(INSTANCE, |truth| devices.push(device(truth)));
    let authorities = simulator.mqtt().authorities(INSTANCE);
    let authority = |it: Truth| json!([it.serial, it.common_name, it.not_after]);
    let certificate = |it: Truth| json!([it.serial, it.not_after, it.status, it.holder]);
    let host = |url: String| url.trim_start_matches("http://").to_owned();
    json!({
        "mqtt": host(simulator.mqtt_url()),
        "ssl": host(simulator.ssl_url()),
        "region": "ap-guangzhou",
        "instance": INSTANCE,
        "id": SECRET_ID,
        "key": SECRET_KEY,
        "temporary_id": TEMPORARY_ID,
        "temporary_key": TEMPORARY_KEY,
        "token": TEMPORARY_TOKEN,
        "devices": devices,
        "authorities": authorities.into_iter().map(authority).collect::<Vec<_>>(),
        "certificates": simulator.ssl().truth().into_iter().map(certificate).collect::<Vec<_>>(),
        "instances": [[INSTANCE, "BYOC"], ["mqtt-jbgwp4ae", "mTLS"], ["mqtt-onewaytl", "TLS"]],
    })
}

/// Lists device certificates in order of creation, 100 at once.
pub(crate) async fn list(simulator: &Simulator, more: &Value) -> Came {
    let mut body = json!({"InstanceId": INSTANCE, "Limit": 100, "OrderBy": "CREATE_TIME_ASC"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    caller().mqtt(simulator, LIST, &body).await.unwrap()
}

#[tokio::test]
async fn a_certificate_that_does_not_exist_is_said_in_three_ways() {
    let simulator = start().await;
    let body = json!({"InstanceId": INSTANCE, "DeviceCertificateSn": "0".repeat(40)});
    for (not_found, code) in [
        (NotFound::Certificate, "ResourceNotFound.Certificate"),
        (NotFound::Plain, "ResourceNotFound"),
        (NotFound::Empty, ""),
    ] {
        simulator.mqtt().set_not_found(not_found);
        let came = caller().mqtt(&simulator, "DescribeDeviceCertificate", &body).await.unwrap();
        assert_eq!(came.code(), code);
        assert_eq!(came.json().pointer("/Response/DeviceCertificateSn"), None);
    }
}

#[tokio::test]
async fn the_certificate_of_a_row_says_what_the_row_says() {
    let simulator = start().await;
    let rows = list(&simulator, &json!({})).await.json()["Response"]["Data"].clone();
    let truth = simulator.mqtt().truth(INSTANCE);
    let mut unreadable = 0;
    for (row, truth) in rows.as_array().unwrap().iter().zip(truth) {
        let text = row["DeviceCertificate"].as_str().unwrap();
        let (_, pem) = x509_parser::pem::parse_x509_pem(text.as_bytes()).unwrap();
        let Ok(certificate) = pem.parse_x509() else {
            assert_eq!(truth.not_after, None);
            unreadable += 1;
            continue;
        };
        assert_eq!(hex::encode(certificate.raw_serial()), truth.serial);
        assert_eq!(Some(certificate.validity().not_after.timestamp()), truth.not_after);
        let name = certificate.subject().iter_common_name().next().unwrap();
        assert_eq!(name.as_str().unwrap(), truth.common_name);
        assert!((1200..2200).contains(&text.len()), "{}", text.len());
    }
    assert!(unreadable < 5);
}

#[tokio::test]
async fn an_instance_without_certificates_says_so() {
    let basic = Instance { basic: true, ..Instance::without_devices("mqtt-basic", X509Mode::Tls) };
    let fleet = Fleet::new(1, wall_seconds()).with(basic).with_instance(INSTANCE, 5);
    let simulator = Simulator::start(Setup::new(fleet)).await.unwrap();
    let came = caller().mqtt(&simulator, LIST, &json!({"InstanceId": "mqtt-basic"})).await.unwrap();
    assert_eq!(came.code(), "InvalidParameter.InstanceTypeNotMatch");
    simulator.mqtt().set_instance_status(INSTANCE, "CREATING");
    assert_eq!(list(&simulator, &json!({})).await.code(), "FailedOperation.InstanceNotReady");
    simulator.mqtt().remove_instance(INSTANCE);
    assert_eq!(list(&simulator, &json!({})).await.code(), "ResourceNotFound.Instance");
    simulator.shutdown().await;
}

#[tokio::test]
async fn ssl_knows_every_status_and_every_way_to_write_a_time() {
    let simulator = start().await;
    let came = caller().ssl(&simulator, &json!({"Limit": 1000})).await.unwrap().json();
    let rows = came["Response"]["Certificates"].as_array().unwrap().clone();
    let statuses: BTreeSet<u64> = rows.iter().map(|row| row["Status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, (0..=15).collect());
    let written: BTreeSet<Option<usize>> =
        rows.iter().map(|row| row["CertEndTime"].as_str().map(str::len)).collect();
    let lengths = [None, Some(0), Some(2), Some(18), Some(19), Some(21)];
    assert_eq!(written, lengths.into_iter().collect());
    for link in ["HasRenewOrder", "HostingRenewCertId"] {
        assert!(
            rows.iter().any(|row| row[link].as_str().is_some_and(|id| !id.is_empty())),
            "{link}"
        );
    }
    let renewed = rows.iter().filter(|row| row["CertificateExtra"]["RenewOrder"].is_string());
    assert_eq!(renewed.count(), 3);
}

#[tokio::test]
async fn gzip_is_used_when_it_is_switched_on() {
    let setup = Setup { gzip: true, ..Setup::new(fleet()) };
    let zipped = Simulator::start(setup).await.unwrap();
    let plain = start().await;
    let (zipped, plain) = (list(&zipped, &json!({})).await, list(&plain, &json!({})).await);
    let data = |came: &Came| came.json()["Response"]["Data"].clone();
    assert_eq!(data(&zipped).as_array().map(Vec::len), Some(100));
    assert_eq!(data(&zipped)[0]["DeviceCertificateSn"], data(&plain)[0]["DeviceCertificateSn"]);
}
