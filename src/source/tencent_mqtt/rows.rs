//! Rows of the device certificate list, read without copying what is not needed.
//!
//! <https://cloud.tencent.com/document/api/1778/113647>: every time is in milliseconds, and 0 means never.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::usual;
use crate::client::agreement::Agreement;
use crate::client::tencent::{ApiError, Fault, Reply, Text, decode};
use crate::client::{time, x509};
use crate::expiry::{Kind, Reason, Rejected, Sighting, Status, Timestamp};
use crate::source::{Page, Span};

/// The fields that are used of a row, all of which may be absent or null.
///
/// `P` is what becomes of the PEM, which is two thirds of a page: it is skipped unless a row does not say when it
/// ends.
#[derive(Deserialize)]
#[cfg_attr(test, derive(Debug, PartialEq))]
#[serde(rename_all = "PascalCase", bound(deserialize = "P: Deserialize<'de>"))]
pub(super) struct Row<'a, P> {
    #[serde(borrow, default)]
    pub(super) client_id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) device_certificate_sn: Text<'a>,
    #[serde(borrow, default)]
    pub(super) device_certificate_cn: Text<'a>,
    #[serde(borrow, default)]
    pub(super) ca_sn: Text<'a>,
    #[serde(borrow, default)]
    pub(super) organizational_unit: Text<'a>,
    #[serde(borrow, default)]
    pub(super) status: Text<'a>,
    pub(super) not_before_time: Option<i64>,
    pub(super) not_after_time: Option<i64>,
    pub(super) device_certificate: Option<P>,
}

impl<P> Row<'_, P> {
    fn stated_end(&self) -> Result<Option<Timestamp>, time::NotATime> {
        time::millis(self.not_after_time.unwrap_or_default())
    }

    /// Returns whether the row says nothing of what the provider always says.
    fn is_hollow(&self) -> bool {
        self.status.is_empty() && self.client_id.is_empty() && self.device_certificate_cn.is_empty()
    }
}

/// What may be known of a certificate's end from its PEM.
trait Pem {
    fn not_after(&self) -> Option<Timestamp>;
}

impl Pem for IgnoredAny {
    fn not_after(&self) -> Option<Timestamp> {
        None
    }
}

impl Pem for &RawValue {
    fn not_after(&self) -> Option<Timestamp> {
        let pem: Cow<'_, str> = serde_json::from_str(self.get()).ok()?;
        x509::first_in_pem(&pem).map(|facts| facts.not_after)
    }
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(Debug, PartialEq))]
#[serde(rename_all = "PascalCase", bound(deserialize = "R: Deserialize<'de>"))]
pub(super) struct List<R> {
    pub(super) error: Option<ApiError>,
    pub(super) total_count: Option<u64>,
    pub(super) data: Option<Vec<R>>,
}

impl<R> Reply for List<R> {
    fn error(&self) -> Option<&ApiError> {
        self.error.as_ref()
    }
}

/// Reads a page. A row with a field of another type costs that row, not the page.
pub(super) fn page(body: &[u8], within: Option<Span>) -> Result<Page, Fault> {
    let list = match usual::list(body).map_or_else(|| decode(body), Ok) {
        Ok(list) => list,
        Err(Fault::Malformed(_)) => return careful_page(body, within),
        Err(fault) => return Err(fault),
    };
    let (total, rows) = contents(list)?;
    if rows.iter().any(|row| !matches!(row.stated_end(), Ok(Some(_)))) {
        return careful_page(body, within);
    }
    let mut page = with_capacity(total, rows.len());
    for row in &rows {
        add(&mut page, row, within);
    }
    Ok(page)
}

/// Reads a page row by row, with the certificates in it.
fn careful_page(body: &[u8], within: Option<Span>) -> Result<Page, Fault> {
    let (total, rows) = contents(decode::<List<&RawValue>>(body)?)?;
    let mut page = with_capacity(total, rows.len());
    for (position, raw) in rows.iter().enumerate() {
        match serde_json::from_str::<Row<'_, &RawValue>>(raw.get()) {
            Ok(row) => add(&mut page, &row, within),
            Err(_) => refuse(&mut page, raw, position),
        }
    }
    Ok(page)
}

/// Compares the end that a page's first certificate states with the one in the certificate itself.
pub(super) fn agreement(body: &[u8]) -> Result<Agreement, Fault> {
    let (_, rows) = contents(decode::<List<&RawValue>>(body)?)?;
    let rows =
        rows.iter().filter_map(|raw| serde_json::from_str::<Row<'_, &RawValue>>(raw.get()).ok());
    let compared = rows.filter_map(|row| {
        let stated = row.stated_end().ok()??;
        Some(Agreement::of(stated, row.device_certificate.as_ref().and_then(Pem::not_after)))
    });
    let mut told = compared.filter(|one| *one != Agreement::Unknown);
    Ok(told.next().unwrap_or(Agreement::Unknown))
}

fn with_capacity(total: u64, rows: usize) -> Page {
    Page {
        sightings: Vec::with_capacity(rows),
        rows: Vec::with_capacity(rows),
        total,
        ..Page::default()
    }
}

/// An empty list may be null, but only when the total says that it is empty.
fn contents<R>(list: List<R>) -> Result<(u64, Vec<R>), Fault> {
    let malformed = |text: &str| Err(Fault::Malformed(text.into()));
    match (list.total_count, list.data) {
        (None, _) => malformed("no TotalCount"),
        (Some(0), None) => Ok((0, Vec::new())),
        (Some(_), None) => malformed("TotalCount without Data"),
        (Some(total), Some(rows)) => Ok((total, rows)),
    }
}

fn add(page: &mut Page, row: &Row<'_, impl Pem>, within: Option<Span>) {
    let digest = digest(&row.ca_sn.0, &row.device_certificate_sn.0);
    page.rows.push(digest);
    if !matches!(row.stated_end(), Ok(Some(_))) {
        page.undated.push(digest);
    }
    let serial = &row.device_certificate_sn;
    if serial.is_empty() {
        let what = format!("a row without a serial, client `{}`", row.client_id.0);
        page.rejected.push(Rejected { reason: Reason::Unidentified, what });
        return;
    }
    let mut reject = |reason| {
        page.rejected.push(Rejected { reason, what: serial.0.clone().into_owned() });
    };
    let not_after = not_after(row, &mut reject);
    if not_after.is_none() && row.is_hollow() {
        // Nothing but its name came through: what is known of it stays, and the scan is not whole.
        reject(Reason::BadField);
        return;
    }
    if !holds(within, not_after) {
        reject(Reason::OutsideSlice);
        return;
    }
    let not_before = row.not_before_time.and_then(|millis| time::millis(millis).ok().flatten());
    let status = status(&row.status.0).unwrap_or_else(|| {
        reject(Reason::UnknownStatus);
        // A certificate must not fall silent because of a word that we do not know.
        Status::Active
    });
    page.sightings.push(Sighting {
        issuer: row.ca_sn.0.clone().into_owned(),
        serial: serial.0.clone().into_owned(),
        kind: Kind::Device,
        status,
        not_before,
        not_after,
        common_name: row.device_certificate_cn.0.clone().into_owned(),
        holder: row.client_id.0.clone().into_owned(),
        unit: row.organizational_unit.0.clone().into_owned(),
        names: Vec::new(),
        successors: Vec::new(),
    });
}

/// Returns when the certificate ends, from the certificate itself where the row does not say.
fn not_after(row: &Row<'_, impl Pem>, reject: &mut impl FnMut(Reason)) -> Option<Timestamp> {
    let stated = row.stated_end();
    if let Ok(Some(stated)) = stated {
        return Some(stated);
    }
    let parsed = row.device_certificate.as_ref().and_then(Pem::not_after);
    if parsed.is_none() && stated.is_err() {
        reject(Reason::BadTime);
    }
    parsed
}

fn holds(within: Option<Span>, not_after: Option<Timestamp>) -> bool {
    match (within, not_after) {
        (None, _) => true,
        (Some((from, to)), Some(end)) => (from..=to).contains(&end),
        (Some(_), None) => false,
    }
}

/// Maps the provider's word; certificates of authorities have the same ones.
pub(super) fn status(word: &str) -> Option<Status> {
    match word {
        "ACTIVE" => Some(Status::Active),
        "INACTIVE" => Some(Status::Inactive),
        "REVOKED" => Some(Status::Revoked),
        "PENDING_ACTIVATION" => Some(Status::Pending),
        _ => None,
    }
}

/// Returns the digest of a row's identity.
pub(super) fn digest(issuer: &str, serial: &str) -> u64 {
    xxh3_64_with_seed(serial.as_bytes(), xxh3_64(issuer.as_bytes()))
}

/// Counts a row that cannot be read, under its identity where that much can be.
fn refuse(page: &mut Page, raw: &RawValue, position: usize) {
    let row: serde_json::Value = serde_json::from_str(raw.get()).unwrap_or_default();
    let text = |name: &str| row.get(name).and_then(serde_json::Value::as_str);
    let issuer = text("CaSn").unwrap_or_default();
    let (digest, what) = match text("DeviceCertificateSn") {
        Some(serial) if !serial.is_empty() => (digest(issuer, serial), serial.to_owned()),
        _ => (digest("", raw.get()), format!("row {position} of a page")),
    };
    page.rows.push(digest);
    page.rejected.push(Rejected { reason: Reason::BadField, what });
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

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
        let seen = page
            .sightings
            .first()
            .map(|seen| (seen.not_after.map(Timestamp::seconds), seen.status));
        (seen, page.rejected.iter().map(|rejected| rejected.reason).collect())
    }

    #[test]
    fn reads_the_vendors_sample() {
        let page = page(&fixture("DescribeDeviceCertificates.json"), None).unwrap();
        assert_eq!((page.total, page.rejected.len()), (1, 0));
        assert_eq!(
            page.rows,
            [digest(
                "1b1e3bf3702110125887a3a721a7e66f05522513",
                "0eef68a582b94254296e54ce754f94d707a59913"
            )]
        );
        assert_eq!(
            page.sightings,
            [Sighting {
                issuer: "1b1e3bf3702110125887a3a721a7e66f05522513".into(),
                serial: "0eef68a582b94254296e54ce754f94d707a59913".into(),
                kind: Kind::Device,
                status: Status::Active,
                not_before: Some(Timestamp::from_seconds(1_734_537_600)),
                not_after: Some(Timestamp::from_seconds(1_766_073_600)),
                common_name: "tx".into(),
                holder: "client-1".into(),
                unit: "tx".into(),
                names: vec![],
                successors: vec![],
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
            (
                json!({"Status": "FROZEN"}),
                (Some((end, Status::Active)), vec![Reason::UnknownStatus]),
            ),
            (json!({"Status": null}), (Some((end, Status::Active)), vec![Reason::UnknownStatus])),
            (json!({"NotAfterTime": 0}), (undated, vec![])),
            (json!({"NotAfterTime": null}), (undated, vec![])),
            // Seconds where milliseconds are due must not look like 1970.
            (json!({"NotAfterTime": 1_766_073_600}), (undated, vec![Reason::BadTime])),
            (json!({"NotAfterTime": -1}), (undated, vec![Reason::BadTime])),
            (json!({"NotAfterTime": "1766073600000"}), (None, vec![Reason::BadField])),
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
        let serials: Vec<_> = page.sightings.iter().map(|seen| seen.serial.as_str()).collect();
        assert_eq!(serials, ["0eef", "0eff"]);
        let told: Vec<_> = page.rejected.iter().map(|r| (r.reason, r.what.as_str())).collect();
        assert_eq!(told, [(Reason::BadField, "0bad"), (Reason::BadField, "row 2 of a page")]);
        assert_eq!(page.rows[1], digest("1b1e", "0bad"));
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
        let ever = Some((at(0), at(i64::MAX)));
        let page = read(&[row(&json!({"NotAfterTime": 0}))], ever);
        assert_eq!(page.rejected[0].reason, Reason::OutsideSlice);
    }

    #[test]
    fn totals_and_nulls() {
        let total = |body: &str| page(body.as_bytes(), None).map(|page| page.total);
        let malformed = |text: &str| Err(Fault::Malformed(text.into()));
        for (body, expected) in [
            (r#"{"Response":{"TotalCount":0,"Data":null}}"#, Ok(0)),
            (r#"{"Response":{"TotalCount":0,"Data":[]}}"#, Ok(0)),
            (r#"{"Response":{"TotalCount":500,"Data":[]}}"#, Ok(500)),
            (r#"{"Response":{"TotalCount":5,"Data":null}}"#, malformed("TotalCount without Data")),
            (r#"{"Response":{"TotalCount":null,"Data":[]}}"#, malformed("no TotalCount")),
            (r#"{"Response":{"Data":[]}}"#, malformed("no TotalCount")),
        ] {
            assert_eq!(total(body), expected, "{body}");
        }
        assert!(matches!(
            total(r#"{"Response":{"TotalCount":-5,"Data":[]}}"#),
            Err(Fault::Malformed(_))
        ));
    }
}
