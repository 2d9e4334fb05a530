use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

mod forms;

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/tencent-mqtt/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).unwrap()
}

fn row(change: &Value) -> Value {
    let mut row = json!({
        "ClientId": "client-1", "DeviceCertificateSn": "0eef", "DeviceCertificateCn": "tx",
        "DeviceCertificate": "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        "CaSn": "1b1e", "OrganizationalUnit": "unit", "Format": "PEM", "Status": "ACTIVE",
        "CertificateSource": "API", "LastActivationTime": 1_742_983_099_435_i64,
        "LastInactivationTime": 0, "CreatedTime": 1_742_983_115_198_i64,
        "UpdateTime": 1_742_983_115_198_i64, "NotBeforeTime": 1_734_537_600_000_i64,
        "NotAfterTime": 1_766_073_600_000_i64,
    });
    for (name, value) in change.as_object().unwrap() {
        row[name] = value.clone();
    }
    row
}

fn read(rows: &[Value], within: Option<Span>) -> Page {
    let body = json!({"Response": {"TotalCount": rows.len(), "Data": rows}}).to_string();
    page(body.as_bytes(), within).unwrap()
}

/// Reads one row with a change; returns its end, its status and why it was rejected.
fn changed(change: &Value) -> (Option<(Option<i64>, Status)>, Vec<Reason>) {
    let page = read(&[row(change)], None);
    assert_eq!(page.rows.len(), 1);
    let unknown = page.rejected.iter().any(|one| one.reason == Reason::UnknownStatus);
    assert_eq!(page.unknown_status, if unknown { page.rows.clone() } else { Vec::new() });
    let mut seen = page.sightings.seen();
    let seen = seen.next().map(|seen| (seen.not_after().map(Timestamp::seconds), seen.status()));
    (seen, page.rejected.iter().map(|rejected| rejected.reason).collect())
}

#[test]
fn reads_the_vendors_sample() {
    let page = page(&fixture("DescribeDeviceCertificates.json"), None).unwrap();
    assert_eq!((page.total, page.rejected.len()), (1, 0));
    assert_eq!(
        page.rows,
        [listed_digest(
            b"1b1e3bf3702110125887a3a721a7e66f05522513",
            b"0eef68a582b94254296e54ce754f94d707a59913"
        )]
    );
    assert_eq!(
        page.sightings.owned(),
        [Sighting {
            issuer: "1b1e3bf3702110125887a3a721a7e66f05522513".into(),
            serial: "0eef68a582b94254296e54ce754f94d707a59913".into(),
            place: String::new(),
            fingerprint: None,
            collides: false,
            signer: "1b1e3bf3702110125887a3a721a7e66f05522513".into(),
            signs: String::new(),
            kind: Kind::Device,
            status: Status::Active,
            not_before: Some(Timestamp::from_seconds(1_734_537_600)),
            not_after: Some(Timestamp::from_seconds(1_766_073_600)),
            end_unlisted: false,
            common_name: "tx".into(),
            holder: "client-1".into(),
            unit: "tx".into(),
            names: vec![],
            successors: vec![],
            labels: vec![],
        }]
    );
}

#[test]
fn odd_rows() {
    let end = Some(1_766_073_600);
    let active = (Some((end, Status::Active)), vec![]);
    let undated = Some((None, Status::Active));
    for (change, expected) in [
        (json!({}), active.clone()),
        (json!({"Unknown": {"deep": [1]}}), active.clone()),
        (json!({"OrganizationalUnit": null, "NotBeforeTime": null}), active),
        (json!({"Status": "INACTIVE"}), (Some((end, Status::Inactive)), vec![])),
        (json!({"Status": "REVOKED"}), (Some((end, Status::Revoked)), vec![])),
        (json!({"Status": "PENDING_ACTIVATION"}), (Some((end, Status::Pending)), vec![])),
        (json!({"Status": "FROZEN"}), (Some((end, Status::Active)), vec![Reason::UnknownStatus])),
        (json!({"Status": null}), (Some((end, Status::Active)), vec![Reason::UnknownStatus])),
        (json!({"NotAfterTime": 0}), (undated, vec![])),
        (json!({"NotAfterTime": null}), (undated, vec![])),
        // Seconds where milliseconds are due must not look like 1970.
        (json!({"NotAfterTime": 1_766_073_600}), (undated, vec![Reason::BadTime])),
        (json!({"NotAfterTime": -1}), (undated, vec![Reason::BadTime])),
        (json!({"NotAfterTime": "1766073600000"}), (None, vec![Reason::BadField])),
        (json!({"NotAfterTime": 1_766_073_600_000.0}), (Some((end, Status::Active)), vec![])),
        (json!({"NotAfterTime": -0.0}), (undated, vec![])),
        (json!({"NotAfterTime": 0.5}), (None, vec![Reason::BadField])),
        (json!({"ClientId": 7}), (None, vec![Reason::BadField])),
        (json!({"DeviceCertificateSn": ""}), (None, vec![Reason::Unidentified])),
        (json!({"DeviceCertificateSn": null}), (None, vec![Reason::Unidentified])),
        (json!({"DeviceCertificate": null, "NotAfterTime": 0}), (undated, vec![])),
        (json!({"DeviceCertificate": 5, "NotAfterTime": 0}), (undated, vec![])),
        (
            json!({"ClientId": null, "DeviceCertificateCn": null, "Status": null, "NotAfterTime": null}),
            (None, vec![Reason::BadField]),
        ),
    ] {
        assert_eq!(changed(&change), expected, "{change}");
    }
}

#[test]
fn a_missing_end_is_read_from_the_certificate() {
    let mut params = rcgen::CertificateParams::new(vec!["a".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2035, 1, 8);
    let pem = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem();
    for stated in [json!(0), json!(null), json!(1_766_073_600)] {
        let change = json!({"NotAfterTime": stated, "DeviceCertificate": pem});
        assert_eq!(changed(&change), (Some((Some(2_051_827_200), Status::Active)), vec![]));
    }
}

#[test]
fn one_bad_row_costs_one_row_and_keeps_its_identity() {
    let rows = [
        row(&json!({})),
        row(&json!({"DeviceCertificateSn": "0bad", "NotAfterTime": []})),
        json!("not an object"),
        row(&json!({"DeviceCertificateSn": "0eff"})),
    ];
    let page = read(&rows, None);
    let serials: Vec<_> = page.sightings.iter().map(|seen| seen.serial).collect();
    assert_eq!(serials, ["0eef", "0eff"]);
    let told: Vec<_> = page.rejected.iter().map(|r| (r.reason, r.what.as_str())).collect();
    assert_eq!(told, [(Reason::BadField, "0bad"), (Reason::BadField, "row 2 of a page")]);
    assert_eq!(page.rows[1], listed_digest(b"1b1e", b"0bad"));
    assert_eq!(page.rows.len(), 4);
}

#[test]
fn rows_outside_the_window_are_rejected() {
    let at = Timestamp::from_seconds;
    for (from, to, expected) in [
        (1_766_073_600, 1_766_073_600, 1),
        (1_766_073_601, 1_766_073_700, 0),
        (1_766_073_500, 1_766_073_599, 0),
    ] {
        let page = read(&[row(&json!({}))], Some((at(from), at(to))));
        assert_eq!(page.sightings.len(), expected);
        assert_eq!(page.rejected.len(), 1 - expected);
        assert_eq!(page.rows.len(), 1);
    }
    for (from, expected) in [(1, vec![Reason::OutsideSlice]), (0, vec![])] {
        let ever = Some((at(from), at(i64::MAX)));
        let page = read(&[row(&json!({"NotAfterTime": 0}))], ever);
        let told: Vec<_> = page.rejected.iter().map(|rejected| rejected.reason).collect();
        assert_eq!(told, expected, "from {from}");
    }
}
