//! Rows of the certificate list: <https://cloud.tencent.com/document/product/400/41671>.
//!
//! Older pages of the documentation mark every field as nullable, so each is read by itself and a field of
//! another type counts as absent: only a row without its id is lost.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use xxhash_rust::xxh3::xxh3_64;

use crate::client::tencent::{ApiError, Fault, Reply, decode};
use crate::client::time;
use crate::expiry::{
    Kind, MOST_LABELS, Reason, Rejected, Sighting, Status, Timestamp, labels_of, listed_digest,
};
use crate::source::Page;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct List<'a> {
    error: Option<ApiError>,
    total_count: Option<u64>,
    #[serde(borrow)]
    certificates: Option<Vec<&'a RawValue>>,
}

impl Reply for List<'_> {
    fn error(&self) -> Option<&ApiError> {
        self.error.as_ref()
    }
}

/// Reads a page.
pub(super) fn page(body: &[u8]) -> Result<Page, Fault> {
    let list = decode::<List<'_>>(body)?;
    let malformed = |text: &str| Err(Fault::Malformed(text.into()));
    let (total, rows) = match (list.total_count, list.certificates) {
        (None, _) => return malformed("no TotalCount"),
        (Some(0), None) => (0, Vec::new()),
        (Some(_), None) => return malformed("TotalCount without Certificates"),
        (Some(total), Some(rows)) => (total, rows),
    };
    let mut page = Page { total, ..Page::default() };
    for (position, raw) in rows.into_iter().enumerate() {
        let row = Row(serde_json::from_str(raw.get()).unwrap_or_default());
        add(&mut page, &row, raw, position);
    }
    Ok(page)
}

fn add(page: &mut Page, row: &Row, raw: &RawValue, position: usize) {
    let serial = row.text("CertificateId");
    if serial.is_empty() {
        page.rows.push(xxh3_64(raw.get().as_bytes()));
        let what = format!("row {position} of a page, domain `{}`", row.text("Domain"));
        page.rejected.push(Rejected { reason: Reason::Unidentified, what });
        return;
    }
    page.rows.push(xxh3_64(serial.as_bytes()));
    if !row.is_sound() {
        // What is known of it stays, and the scan is not whole.
        page.rejected.push(Rejected { reason: Reason::BadField, what: serial.to_owned() });
        return;
    }
    let mut rejected = HashSet::new();
    let sighting = sighting(row, serial, &mut |reason| {
        rejected.insert(reason);
    });
    page.sightings.push(&sighting);
    if rejected.contains(&Reason::UnknownStatus) {
        page.unknown_status.push(listed_digest(b"", serial.as_bytes()));
    }
    let rejected = rejected.into_iter().map(|reason| Rejected { reason, what: serial.to_owned() });
    page.rejected.extend(rejected);
}

fn sighting(row: &Row, serial: &str, reject: &mut impl FnMut(Reason)) -> Sighting {
    let is_authority = row.text("CertificateType").eq_ignore_ascii_case("CA");
    let end = row.time("CertEndTime", reject);
    Sighting {
        issuer: String::new(),
        serial: serial.to_owned(),
        place: String::new(),
        fingerprint: None,
        collides: false,
        signer: String::new(),
        signs: String::new(),
        kind: if is_authority { Kind::Ca } else { Kind::Server },
        status: row.status().unwrap_or_else(|| {
            reject(Reason::UnknownStatus);
            // A certificate must not fall silent because of a number that we do not know.
            Status::Active
        }),
        not_before: row.time("CertBeginTime", reject),
        not_after: if is_authority { row.bundle_end(end, reject) } else { end },
        end_unlisted: false,
        common_name: row.text("Domain").to_owned(),
        holder: row.text("Domain").to_owned(),
        unit: String::new(),
        names: row.names(),
        successors: row.successors(),
        labels: row.labels(),
    }
}

struct Row(Value);

impl Row {
    fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default().trim()
    }

    /// Returns whether the row can be believed: its status is a number, or there is none and the row says something
    /// else.
    fn is_sound(&self) -> bool {
        let says = |name: &str| !self.text(name).is_empty();
        match self.0.get("Status") {
            None | Some(Value::Null) => says("Domain") || says("CertEndTime"),
            Some(status) => status.is_i64() || status.is_u64(),
        }
    }

    fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0
            .get(name)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::trim)
            .filter(|text| !text.is_empty())
    }

    /// Reads a time. A certificate whose time is nonsense is kept, without it.
    fn time(&self, name: &str, reject: &mut impl FnMut(Reason)) -> Option<Timestamp> {
        let text = match self.0.get(name) {
            None | Some(Value::Null) => "",
            Some(Value::String(text)) => text,
            Some(_) => "not a string",
        };
        read_time(text, reject)
    }

    /// A bundle ends when the first of its certificates does.
    fn bundle_end(
        &self,
        end: Option<Timestamp>,
        reject: &mut impl FnMut(Reason),
    ) -> Option<Timestamp> {
        let ends = self.texts("CAEndTimes").filter_map(|text| read_time(text, reject));
        ends.chain(end).min()
    }

    /// Status 0 is a review, not an issued certificate. Expired (3) and failed renewals of a certificate that
    /// may still be served stay active, since expiry is our own arithmetic.
    fn status(&self) -> Option<Status> {
        match self.0.get("Status").and_then(Value::as_u64)? {
            // Issued, expired, revoking, re-issuing, waiting for a letter to revoke, migrating.
            1 | 3 | 9 | 11 | 12 | 15 => Some(Status::Active),
            10 => Some(Status::Revoked),
            // Review failed, cancelling, cancelled, refunded.
            2 | 6 | 7 | 14 => Some(Status::Retired),
            0 | 4 | 5 | 8 | 13 => Some(Status::Pending),
            _ => None,
        }
    }

    fn names(&self) -> Vec<String> {
        let mut seen = HashSet::new();
        std::iter::once(self.text("Domain"))
            .chain(self.texts("SubjectAltName"))
            .chain(self.texts("CertSANs"))
            .filter(|name| !name.is_empty() && seen.insert(*name))
            .map(str::to_owned)
            .collect()
    }

    /// Its tags, and what else its owner calls it by. `ignored` is that the owner muted the vendor's own notices.
    fn labels(&self) -> Vec<(String, String)> {
        let tags = self.0.get("Tags").and_then(Value::as_array).into_iter().flatten();
        let tags = tags.map(|tag| (text_of(tag.get("TagKey")), text_of(tag.get("TagValue"))));
        let ignored = self.0.get("IsIgnore").and_then(Value::as_bool) == Some(true);
        let own = [
            ("alias", self.text("Alias")),
            ("project", text_of(self.0.pointer("/ProjectInfo/ProjectName"))),
            ("ignored", if ignored { "true" } else { "" }),
        ];
        // What the vendor says of it is not to be taken for what a tag of the same name says.
        let tags = labels_of(tags);
        let own = labels_of(own);
        let tags = tags.into_iter().filter(|(name, _)| !own.contains_key(name));
        let room = MOST_LABELS.saturating_sub(own.len());
        let mut labels: Vec<_> = tags.take(room).collect();
        labels.extend(own);
        labels.sort();
        labels
    }

    fn successors(&self) -> Vec<String> {
        let extra = |name: &str| {
            self.0.pointer(&format!("/CertificateExtra/{name}")).and_then(Value::as_str)
        };
        let mut seen = HashSet::new();
        [
            extra("RenewOrder"),
            Some(self.text("HasRenewOrder")),
            Some(self.text("HostingRenewCertId")),
            extra("ReplacedBy"),
        ]
        .into_iter()
        .flatten()
        .map(str::trim)
        .filter(|serial| !serial.is_empty() && seen.insert(*serial))
        .map(str::to_owned)
        .collect()
    }
}

fn text_of(value: Option<&Value>) -> &str {
    value.and_then(Value::as_str).unwrap_or_default()
}

fn read_time(text: &str, reject: &mut impl FnMut(Reason)) -> Option<Timestamp> {
    time::china_time(text).unwrap_or_else(|_| {
        reject(Reason::BadTime);
        None
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(rows: &Value) -> Page {
        let count = rows.as_array().unwrap().len();
        let body = json!({"Response": {"TotalCount": count, "Certificates": rows}}).to_string();
        page(body.as_bytes()).unwrap()
    }

    fn one(row: &Value) -> (Sighting, Vec<Reason>) {
        let page = read(&json!([row]));
        let mut reasons: Vec<_> = page.rejected.iter().map(|rejected| rejected.reason).collect();
        reasons.sort_by_key(|reason| reason.as_str());
        let unknown = reasons.contains(&Reason::UnknownStatus);
        let digests = page.sightings.seen().map(|seen| seen.digests().listed());
        assert_eq!(page.unknown_status, digests.filter(|_| unknown).collect::<Vec<_>>());
        (page.sightings.owned().remove(0), reasons)
    }

    #[test]
    fn reads_the_vendors_sample_whose_times_are_nonsense() {
        let path = format!(
            "{}/tests/fixtures/tencent-ssl/DescribeCertificates.json",
            env!("CARGO_MANIFEST_DIR")
        );
        let page = page(&std::fs::read(path).unwrap()).unwrap();
        assert_eq!((page.total, page.rows, page.sightings.len()), (1, vec![xxh3_64(b"abc")], 1));
        let seen = &page.sightings.owned()[0];
        assert_eq!((seen.not_before, seen.not_after), (None, None));
        assert_eq!(seen.effective_status(), Status::Undated);
        assert_eq!(page.rejected, [Rejected { reason: Reason::BadTime, what: "abc".into() }]);
        assert_eq!(seen.names, ["abc"]);
        assert_eq!(seen.successors, ["abc"]);
    }

    #[test]
    fn reads_a_certificate() {
        let (seen, rejected) = one(&json!({
            "CertificateId": "xyz", "Domain": "a.example", "CertificateType": "SVR", "Status": 1,
            "CertBeginTime": "2025-01-08 08:00:00", "CertEndTime": "2035-01-08 07:59:59",
            "SubjectAltName": ["a.example", "b.example"], "CertSANs": ["b.example", "c.example", ""],
            "CertificateExtra": {"RenewOrder": "new-1", "ReplacedBy": null},
            "HasRenewOrder": "new-1", "HostingRenewCertId": "new-2", "FreshField": {"x": 1},
        }));
        assert_eq!(rejected, []);
        assert_eq!(
            seen,
            Sighting {
                issuer: String::new(),
                serial: "xyz".into(),
                place: String::new(),
                fingerprint: None,
                collides: false,
                signer: String::new(),
                signs: String::new(),
                kind: Kind::Server,
                status: Status::Active,
                not_before: Some(Timestamp::from_seconds(1_736_294_400)),
                not_after: Some(Timestamp::from_seconds(2_051_827_199)),
                end_unlisted: false,
                common_name: "a.example".into(),
                holder: "a.example".into(),
                unit: String::new(),
                names: vec!["a.example".into(), "b.example".into(), "c.example".into()],
                successors: vec!["new-1".into(), "new-2".into()],
                labels: Vec::new(),
            }
        );
    }

    #[test]
    fn tags_project_and_alias_are_labels() {
        let labels = |row: &Value| one(row).0.labels;
        let read = labels(&json!({
            "CertificateId": "x", "Status": 1, "Alias": " shop ", "IsIgnore": true,
            "ProjectInfo": {"ProjectName": "web", "OwnerUin": 1},
            "Tags": [
                {"TagKey": "cost-center", "TagValue": "42"}, {"TagKey": "project", "TagValue": "tag"},
                {"TagKey": "env", "TagValue": null}, {"TagKey": 7, "TagValue": "x"}, null,
            ],
        }));
        let expected =
            [("alias", "shop"), ("cost_center", "42"), ("ignored", "true"), ("project", "web")];
        assert_eq!(read, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let bare = json!({"CertificateId": "x", "Status": 1, "Alias": "", "IsIgnore": false,
            "ProjectInfo": null, "Tags": null});
        assert_eq!(labels(&bare), []);
        let tag = |number: u32| json!({"TagKey": format!("t{number:02}"), "TagValue": "v"});
        let tags: Vec<_> = (0..40).map(tag).collect();
        let many = labels(&json!({"CertificateId": "x", "Status": 1, "Alias": "a", "Tags": tags}));
        assert_eq!((many.len(), many[0].0.as_str()), (MOST_LABELS, "alias"));
    }

    #[test]
    fn odd_times_leave_the_certificate_undated_and_never_1970() {
        for (end, expected, reasons) in [
            (json!(null), None, vec![]),
            (json!(""), None, vec![]),
            (json!("--"), None, vec![]),
            (json!("0000-00-00 00:00:00"), None, vec![]),
            (json!("2024-11-06 08:00:0"), Some(1_730_851_200), vec![]),
            (json!("2025-11-23 00:00:00"), Some(1_763_827_200), vec![]),
            (json!("soon"), None, vec![Reason::BadTime]),
            (json!("2024-13-06 08:00:00"), None, vec![Reason::BadTime]),
            (json!(1_763_827_200), None, vec![Reason::BadTime]),
        ] {
            let (seen, rejected) =
                one(&json!({"CertificateId": "x", "Status": 1, "CertEndTime": end}));
            assert_eq!(seen.not_after.map(Timestamp::seconds), expected, "{end}");
            assert_eq!(rejected, reasons, "{end}");
        }
    }

    #[test]
    fn every_status() {
        for (number, expected) in [
            (0, Status::Pending),
            (1, Status::Active),
            (2, Status::Retired),
            (3, Status::Active),
            (4, Status::Pending),
            (5, Status::Pending),
            (6, Status::Retired),
            (7, Status::Retired),
            (8, Status::Pending),
            (9, Status::Active),
            (10, Status::Revoked),
            (11, Status::Active),
            (12, Status::Active),
            (13, Status::Pending),
            (14, Status::Retired),
            (15, Status::Active),
        ] {
            let (seen, rejected) = one(&json!({"CertificateId": "x", "Status": number}));
            assert_eq!((seen.status, rejected), (expected, vec![]), "{number}");
        }
        for unknown in [json!(16), json!(-1), json!(null)] {
            let (seen, rejected) =
                one(&json!({"CertificateId": "x", "Status": unknown, "Domain": "a.example"}));
            assert_eq!((seen.status, rejected), (Status::Active, vec![Reason::UnknownStatus]));
        }
    }

    #[test]
    fn rows_that_cannot_be_believed_keep_their_identity_and_nothing_else() {
        for row in [
            json!({"CertificateId": "x", "Domain": "a.example", "Status": "1"}),
            json!({"CertificateId": "x", "Domain": "a.example", "Status": ["ACTIVE"]}),
            json!({"CertificateId": "x", "Domain": null, "Status": null, "CertEndTime": null}),
            json!({"CertificateId": "x"}),
        ] {
            let page = read(&json!([row]));
            assert_eq!((&page.rows, page.sightings.len()), (&vec![xxh3_64(b"x")], 0), "{row}");
            assert_eq!(page.rejected, [Rejected { reason: Reason::BadField, what: "x".into() }]);
        }
    }

    #[test]
    fn an_authority_ends_with_the_first_of_its_bundle() {
        let end = |ends: Value, end: Value| {
            let (seen, rejected) = one(&json!({
                "CertificateId": "x", "Status": 1, "CertificateType": "ca",
                "CAEndTimes": ends, "CertEndTime": end,
            }));
            assert_eq!(seen.kind, Kind::Ca);
            (seen.not_after.map(Timestamp::seconds), rejected)
        };
        let (early, late) = ("2025-11-23 00:00:00", "2035-01-08 07:59:59");
        assert_eq!(end(json!([late, early]), json!(late)), (Some(1_763_827_200), vec![]));
        assert_eq!(end(json!([late]), json!(early)), (Some(1_763_827_200), vec![]));
        assert_eq!(end(json!(null), json!(late)), (Some(2_051_827_199), vec![]));
        assert_eq!(end(json!([early]), json!(null)), (Some(1_763_827_200), vec![]));
        assert_eq!(end(json!([]), json!("")), (None, vec![]));
        assert_eq!(
            end(json!(["x", late, "--"]), json!(null)),
            (Some(2_051_827_199), vec![Reason::BadTime])
        );
        for server in ["SVR", "svr", ""] {
            let (seen, _) =
                one(&json!({"CertificateId": "x", "Status": 1, "CertificateType": server}));
            assert_eq!(seen.kind, Kind::Server);
        }
    }

    #[test]
    fn rows_without_an_id_are_counted() {
        let page = read(
            &json!([{"Domain": "a"}, {"CertificateId": 5}, 7, {"CertificateId": "x", "Status": 1}]),
        );
        assert_eq!((page.rows.len(), page.sightings.len()), (4, 1));
        let reasons: Vec<_> = page.rejected.iter().map(|rejected| rejected.reason).collect();
        assert_eq!(reasons, [Reason::Unidentified; 3]);
    }

    #[test]
    fn totals_and_nulls() {
        let total = |body: &str| page(body.as_bytes()).map(|page| page.total);
        assert_eq!(total(r#"{"Response":{"TotalCount":0,"Certificates":null}}"#), Ok(0));
        for body in [
            r#"{"Response":{"TotalCount":null,"Certificates":[]}}"#,
            r#"{"Response":{"TotalCount":3,"Certificates":null}}"#,
            r#"{"Response":{"TotalCount":"3","Certificates":[]}}"#,
        ] {
            assert!(matches!(total(body), Err(Fault::Malformed(_))), "{body}");
        }
    }
}
