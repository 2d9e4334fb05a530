//! Rows of the list of an instance's certificate authorities, which has no pages: one answer holds all.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::rows::status;
use crate::client::tencent::{ApiError, Fault, Reply, Text, Whole, decode};
use crate::client::time;
use crate::expiry::{Kind, Reason, Rejected, Sighting, Status, listed_digest};
use crate::source::Page;
use crate::x509;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct List<'a> {
    error: Option<ApiError>,
    total_count: Option<u64>,
    #[serde(borrow)]
    data: Option<Vec<&'a RawValue>>,
}

impl Reply for List<'_> {
    fn error(&self) -> Option<&ApiError> {
        self.error.as_ref()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row<'a> {
    #[serde(borrow, default)]
    ca_cn: Text<'a>,
    #[serde(borrow, default)]
    ca_sn: Text<'a>,
    #[serde(borrow, default)]
    ca_issuer_cn: Text<'a>,
    #[serde(borrow, default)]
    ca_certificate: Text<'a>,
    #[serde(borrow, default)]
    status: Text<'a>,
    not_before_time: Option<Whole>,
    not_after_time: Option<Whole>,
}

/// Reads the list. It has no total of its own: the rows are the total.
pub(super) fn page(body: &[u8]) -> Result<Page, Fault> {
    let list = decode::<List<'_>>(body)?;
    let stated = list.total_count;
    let rows = match list.data {
        None if stated.unwrap_or_default() > 0 => {
            return Err(Fault::Malformed("TotalCount without Data".into()));
        }
        rows => rows.unwrap_or_default(),
    };
    let listed = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    let mut page = Page { total: stated.unwrap_or(listed), ..Page::default() };
    for (position, raw) in rows.into_iter().enumerate() {
        if let Ok(row) = serde_json::from_str::<Row<'_>>(raw.get()) {
            add(&mut page, &row);
        } else {
            page.rows.push(listed_digest(b"", raw.get().as_bytes()));
            reject(&mut page, Reason::BadField, &format!("authority {position}"));
        }
    }
    Ok(page)
}

fn add(page: &mut Page, row: &Row<'_>) {
    let digest = listed_digest(row.ca_issuer_cn.as_ref(), row.ca_sn.as_ref());
    page.rows.push(digest);
    let serial = row.ca_sn.0.as_ref();
    if serial.is_empty() {
        reject(page, Reason::Unidentified, &format!("authority `{}`", row.ca_cn.0));
        return;
    }
    let stated = time::millis(row.not_after_time.map_or(0, |millis| millis.0));
    let not_after = stated.ok().flatten().or_else(|| x509::first_end_in_pem(&row.ca_certificate.0));
    if not_after.is_none() && stated.is_err() {
        reject(page, Reason::BadTime, serial);
    }
    if not_after.is_none() && row.status.is_empty() && row.ca_cn.is_empty() {
        // Nothing but its name came through: what is known of it stays.
        reject(page, Reason::BadField, serial);
        return;
    }
    let status = status(row.status.as_ref()).unwrap_or_else(|| {
        reject(page, Reason::UnknownStatus, serial);
        page.unknown_status.push(digest);
        Status::Active
    });
    let owned = |text: &Text<'_>| Cow::into_owned(text.0.clone());
    page.sightings.push(&Sighting {
        issuer: owned(&row.ca_issuer_cn),
        serial: owned(&row.ca_sn),
        place: String::new(),
        fingerprint: None,
        collides: false,
        signer: owned(&row.ca_issuer_cn),
        signs: String::new(),
        kind: Kind::Ca,
        status,
        not_before: row.not_before_time.and_then(|millis| time::millis(millis.0).ok().flatten()),
        not_after,
        end_unlisted: false,
        common_name: owned(&row.ca_cn),
        holder: owned(&row.ca_cn),
        unit: String::new(),
        names: Vec::new(),
        successors: Vec::new(),
        labels: Vec::new(),
    });
}

fn reject(page: &mut Page, reason: Reason, what: &str) {
    page.rejected.push(Rejected { reason, what: what.to_owned() });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::expiry::Timestamp;

    #[test]
    fn reads_authorities() {
        let body = json!({"Error": null, "Response": {"Data": [
            {"CaCn": "root", "CaSn": "1b1e", "CaIssuerCn": "root", "Status": "ACTIVE",
             "CaCertificate": "-----BEGIN CERTIFICATE-----", "Format": "PEM",
             "NotBeforeTime": 1_734_537_600_000_i64, "NotAfterTime": 1_766_073_600_000_i64},
            {"CaCn": "old", "CaSn": "2b", "Status": "INACTIVE"},
            {"CaCn": "odd", "CaSn": "3b", "Status": "X", "NotAfterTime": 7},
            {"CaCn": "nameless", "Status": "ACTIVE"},
            {"CaSn": "4b", "CaCn": null, "Status": null},
            {"CaCn": 5},
        ], "RequestId": "r"}});
        let page = page(body.to_string().as_bytes()).unwrap();
        assert_eq!((page.total, page.rows.len()), (6, 6));
        let seen: Vec<_> = page
            .sightings
            .iter()
            .map(|seen| (seen.serial, seen.issuer, seen.kind, seen.status))
            .collect();
        assert_eq!(
            seen,
            [
                ("1b1e", "root", Kind::Ca, Status::Active),
                ("2b", "", Kind::Ca, Status::Inactive),
                ("3b", "", Kind::Ca, Status::Active),
            ]
        );
        assert_eq!(
            page.sightings.owned()[0].not_after,
            Some(Timestamp::from_seconds(1_766_073_600))
        );
        assert_eq!(page.sightings.owned()[1].not_after, None);
        assert_eq!(page.unknown_status, page.rows[2..3]);
        let shown: Vec<_> = page.rejected.iter().map(|r| (r.reason, r.what.as_str())).collect();
        assert_eq!(
            shown,
            [
                (Reason::BadTime, "3b"),
                (Reason::UnknownStatus, "3b"),
                (Reason::Unidentified, "authority `nameless`"),
                (Reason::BadField, "4b"),
                (Reason::BadField, "authority 5"),
            ]
        );
    }

    #[test]
    fn null_is_empty_unless_the_total_disagrees() {
        let total = |body: &str| page(body.as_bytes()).map(|page| page.total);
        assert_eq!(total(r#"{"Response":{"Data":null}}"#), Ok(0));
        assert_eq!(total(r#"{"Response":{"TotalCount":0,"Data":null}}"#), Ok(0));
        assert!(total(r#"{"Response":{"TotalCount":2,"Data":null}}"#).is_err());
        assert_eq!(total(r#"{"Response":{"TotalCount":2,"Data":[]}}"#), Ok(2));
    }
}
