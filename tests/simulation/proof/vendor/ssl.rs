//! Pages of Tencent Cloud SSL: servers' certificates and authorities', newest first, and where they are in use.

use notafter::facade::expiry::{Kind, Status};
use serde_json::{Value, json};
use simulator::clock::beijing;

use super::super::listing::{Listing, Row};
use super::super::scene::Lie;
use super::telling::{Covers, Telling};
use super::wire::{Asked, Wire};

pub(super) const OPTIONS: &str =
    "secret_id = { env = 'SECRET_ID' }\nsecret_key = { env = 'SECRET_KEY' }\n";

/// Returns what the vendor counts requests of an action by: each action by itself.
pub(super) fn counted(action: &str) -> &'static str {
    match action {
        "DescribeCertificates" => "ssl list",
        "CreateCertificateBindResourceSyncTask" => "ssl task",
        "DescribeCertificateBindResourceTaskResult" => "ssl result",
        other => panic!("nobody asked for {other} before"),
    }
}

pub(super) fn answer(wire: &Wire, asked: &Asked, lie: Option<Lie>) -> Value {
    let listing = Listing { stage: &wire.stage, source: wire.index };
    let answer = match asked.action.as_str() {
        "DescribeCertificates" => list(&listing, asked, lie),
        "CreateCertificateBindResourceSyncTask" => {
            let task = |id: &Value| json!({"CertId": id, "TaskId": format!("of {id}")});
            json!({"CertTaskIds": all(asked, "/CertificateIds").map(task).collect::<Vec<_>>()})
        }
        _ => {
            // Nothing that the vendor runs uses any of them.
            let result = |id: &Value| json!({"TaskId": id, "Status": 1, "BindResourceResult": []});
            let results: Vec<_> = all(asked, "/TaskIds").map(result).collect();
            json!({"SyncTaskBindResourceResult": results})
        }
    };
    json!({ "Response": answer })
}

fn all<'a>(asked: &'a Asked, path: &str) -> impl Iterator<Item = &'a Value> {
    asked.body.pointer(path).and_then(Value::as_array).into_iter().flatten()
}

fn list(listing: &Listing<'_>, asked: &Asked, lie: Option<Lie>) -> Value {
    let mut real = listing.real(None, |_| true);
    real.reverse();
    let page = (asked.number("/Offset"), asked.number("/Limit"));
    // One scope, which is always there; there is no filter.
    let lie = lie.filter(|lie| !matches!(lie, Lie::ScopeGone | Lie::Unfiltered));
    let told = listing.tell(real, page, lie, |(place, _)| place);
    let endless = told.lie == Some(Lie::Endless);
    Telling::keep_list(&told, Covers::All, None);
    let rows: Vec<_> = told.page.iter().map(|row| written(listing, *row, endless)).collect();
    json!({"TotalCount": told.total, "Certificates": rows, "RequestId": "r"})
}

fn written(listing: &Listing<'_>, (place, state): Row, endless: bool) -> Value {
    let one = &listing.certificates()[place];
    let has_end = !(endless && place.is_multiple_of(3));
    let renewal = one.linked.as_ref().filter(|_| state.linked).map(|(_, serial)| serial);
    json!({
        "CertificateId": one.serial, "Domain": one.holder, "Alias": "site", "SubjectAltName": [one.holder],
        "CertificateType": if one.kind == Kind::Ca { "CA" } else { "SVR" }, "Status": number(state.status),
        "CertBeginTime": one.not_before.map(beijing), "CertEndTime": has_end.then(|| beijing(state.end)),
        "CertificateExtra": {"RenewOrder": renewal}, "Tags": [], "IsIgnore": false,
    })
}

const fn number(status: Status) -> u8 {
    match status {
        Status::Pending | Status::Inactive => 0,
        Status::Revoked => 10,
        Status::Retired => 14,
        _ => 1,
    }
}
