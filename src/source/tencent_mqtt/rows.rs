//! Rows of the device certificate list, read without copying what is not needed.
//!
//! <https://cloud.tencent.com/document/api/1778/113647>: every time is in milliseconds, and 0 means never.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::fast_path;
use super::list::is_within;
use super::stated_expiry::Agreement;
use crate::client::tencent::{ApiError, Fault, Reply, Text, decode};
use crate::client::time;
use crate::expiry::{
    Kind, Reason, Rejected, Sighting, Sightings, Status, Timestamp, listed_digest,
};
use crate::source::{Page, Span};
use crate::x509;

/// The fields that are used of a row, all of which may be absent or null.
///
/// `T` is how a text is held. `P` is what becomes of the PEM, which is two thirds of a page: it is skipped unless a row
/// does not say when it ends.
#[derive(Deserialize)]
#[serde(
    rename_all = "PascalCase",
    bound(deserialize = "T: Deserialize<'de> + Default, P: Deserialize<'de>")
)]
pub(super) struct Row<T, P> {
    #[serde(default)]
    pub(super) client_id: T,
    #[serde(default)]
    pub(super) device_certificate_sn: T,
    #[serde(default)]
    pub(super) device_certificate_cn: T,
    #[serde(default)]
    pub(super) ca_sn: T,
    #[serde(default)]
    pub(super) organizational_unit: T,
    #[serde(default)]
    pub(super) status: T,
    pub(super) not_before_time: Option<i64>,
    pub(super) not_after_time: Option<i64>,
    pub(super) device_certificate: Option<P>,
}

/// A row as the general reader reads it.
type GeneralRow<'a, P> = Row<Text<'a>, P>;

impl<T: AsRef<[u8]>, P> Row<T, P> {
    fn stated_end(&self) -> Result<Option<Timestamp>, time::NotATime> {
        time::millis(self.not_after_time.unwrap_or_default())
    }

    /// Returns whether the row says nothing of what the provider always says.
    fn has_no_fields(&self) -> bool {
        let said = [&self.status, &self.client_id, &self.device_certificate_cn];
        said.iter().all(|text| text.as_ref().is_empty())
    }

    fn digest(&self) -> u64 {
        listed_digest(self.ca_sn.as_ref(), self.device_certificate_sn.as_ref())
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
    let read = match fast_path::list(body) {
        Some(list) => plain_page(list, within),
        None => match decode::<List<GeneralRow<'_, IgnoredAny>>>(body) {
            Ok(list) => plain_page(list, within),
            Err(Fault::Malformed(_)) => Ok(None),
            Err(fault) => Err(fault),
        },
    };
    match read? {
        Some(page) => Ok(page),
        None => careful_page(body, within),
    }
}

/// Makes a page of rows that all say when they end; `None` when one does not, and its PEM has to be looked at.
fn plain_page<T: AsRef<[u8]>>(
    list: List<Row<T, IgnoredAny>>,
    within: Option<Span>,
) -> Result<Option<Page>, Fault> {
    let (total, rows) = contents(list)?;
    if rows.iter().any(|row| !matches!(row.stated_end(), Ok(Some(_)))) {
        return Ok(None);
    }
    let mut page = Page { total, ..Page::default() };
    take(&mut page, &rows, within)?;
    // The digests of the sightings are those of the rows, where no row is without one.
    page.rows = if page.sightings.len() == rows.len() {
        page.sightings.seen().map(|seen| seen.digests().listed()).collect()
    } else {
        rows.iter().map(Row::digest).collect()
    };
    Ok(Some(page))
}

/// Reads a page row by row, with the certificates in it.
fn careful_page(body: &[u8], within: Option<Span>) -> Result<Page, Fault> {
    let (total, raw) = contents(decode::<List<&RawValue>>(body)?)?;
    let mut page = Page { total, ..Page::default() };
    let mut rows = Vec::with_capacity(raw.len());
    for (position, raw) in raw.iter().enumerate() {
        match serde_json::from_str::<GeneralRow<'_, &RawValue>>(raw.get()) {
            Ok(row) => {
                page.rows.push(row.digest());
                rows.push(row);
            }
            Err(_) => refuse(&mut page, raw, position),
        }
    }
    let undated = rows.iter().filter(|row| !matches!(row.stated_end(), Ok(Some(_))));
    page.undated = undated.map(Row::digest).collect();
    take(&mut page, &rows, within)?;
    Ok(page)
}

/// Takes the sightings of the rows into a page, and what was wrong with them.
fn take<T: AsRef<[u8]>>(
    page: &mut Page,
    rows: &[Row<T, impl Pem>],
    within: Option<Span>,
) -> Result<(), Fault> {
    let sightings = rows.iter().filter_map(|row| sighting(row, within, &mut page.rejected));
    page.sightings = Sightings::from_bytes(sightings)
        .map_err(|error| Fault::Garbled(format!("a text is not UTF-8: {error}")))?;
    Ok(())
}

/// Compares the end that a page's first certificate states with the one in the certificate itself.
pub(super) fn agreement(body: &[u8]) -> Result<Agreement, Fault> {
    let (_, rows) = contents(decode::<List<&RawValue>>(body)?)?;
    let rows = rows
        .iter()
        .filter_map(|raw| serde_json::from_str::<GeneralRow<'_, &RawValue>>(raw.get()).ok());
    let compared = rows.filter_map(|row| {
        let stated = row.stated_end().ok()??;
        Some(Agreement::of(stated, row.device_certificate.as_ref().and_then(Pem::not_after)))
    });
    let mut told = compared.filter(|one| *one != Agreement::Unknown);
    Ok(told.next().unwrap_or(Agreement::Unknown))
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

/// Returns what a row says, and rejects what cannot be understood of it.
fn sighting<'a, T: AsRef<[u8]>>(
    row: &'a Row<T, impl Pem>,
    within: Option<Span>,
    rejected: &mut Vec<Rejected>,
) -> Option<Sighting<&'a [u8]>> {
    let serial = row.device_certificate_sn.as_ref();
    let mut reject = |reason| {
        let what = if serial.is_empty() {
            format!("a row without a serial, client `{}`", text(row.client_id.as_ref()))
        } else {
            text(serial).into_owned()
        };
        rejected.push(Rejected { reason, what });
    };
    if serial.is_empty() {
        reject(Reason::Unidentified);
        return None;
    }
    let not_after = not_after(row, &mut reject);
    if not_after.is_none() && row.has_no_fields() {
        // Nothing but its name came through: what is known of it stays, and the scan is not whole.
        reject(Reason::BadField);
        return None;
    }
    if !is_within(not_after, within) {
        reject(Reason::OutsideSlice);
        return None;
    }
    let status = status(row.status.as_ref()).unwrap_or_else(|| {
        reject(Reason::UnknownStatus);
        // A certificate must not fall silent because of a word that we do not know.
        Status::Active
    });
    Some(Sighting {
        issuer: row.ca_sn.as_ref(),
        serial,
        place: b"",
        fingerprint: None,
        collides: false,
        signer: row.ca_sn.as_ref(),
        signs: b"",
        kind: Kind::Device,
        status,
        not_before: row.not_before_time.and_then(|millis| time::millis(millis).ok().flatten()),
        not_after,
        common_name: row.device_certificate_cn.as_ref(),
        holder: row.client_id.as_ref(),
        unit: row.organizational_unit.as_ref(),
        names: Vec::new(),
        successors: Vec::new(),
    })
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// Returns when the certificate ends, from the certificate itself where the row does not say.
fn not_after<T: AsRef<[u8]>>(
    row: &Row<T, impl Pem>,
    reject: &mut impl FnMut(Reason),
) -> Option<Timestamp> {
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

/// Maps the provider's word; certificates of authorities have the same ones.
pub(super) fn status(word: &[u8]) -> Option<Status> {
    match word {
        b"ACTIVE" => Some(Status::Active),
        b"INACTIVE" => Some(Status::Inactive),
        b"REVOKED" => Some(Status::Revoked),
        b"PENDING_ACTIVATION" => Some(Status::Pending),
        _ => None,
    }
}

/// Counts a row that cannot be read, under its identity where that much can be.
fn refuse(page: &mut Page, raw: &RawValue, position: usize) {
    let row: serde_json::Value = serde_json::from_str(raw.get()).unwrap_or_default();
    let text = |name: &str| row.get(name).and_then(serde_json::Value::as_str);
    let issuer = text("CaSn").unwrap_or_default();
    let (digest, what) = match text("DeviceCertificateSn") {
        Some(serial) if !serial.is_empty() => {
            (listed_digest(issuer.as_bytes(), serial.as_bytes()), serial.to_owned())
        }
        _ => (listed_digest(b"", raw.get().as_bytes()), format!("row {position} of a page")),
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
        let mut seen = page.sightings.seen();
        let seen =
            seen.next().map(|seen| (seen.not_after().map(Timestamp::seconds), seen.status()));
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
