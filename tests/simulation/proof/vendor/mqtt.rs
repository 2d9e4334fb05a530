//! Pages of Tencent Cloud MQTT: one instance with its authorities, and a certificate for each device.

use notafter::facade::expiry::{Kind, Status, Timestamp};
use serde_json::{Value, json};

use super::super::listing::{Listing, Row, Within, is_within};
use super::super::scene::Lie;
use super::super::truth::{Certificate, State};
use super::telling::{Covers, Telling, is_reading};
use super::wire::{Asked, Wire, error};

pub(super) const OPTIONS: &str = "region = 'ap-guangzhou'\nsecret_id = { env = 'SECRET_ID' }\n\
    secret_key = { env = 'SECRET_KEY' }\nfull_scan = 'every 24h'\n";

const INSTANCE: &str = "mqtt-proof";

/// Returns what the vendor counts requests of an action by: each action by itself.
pub(super) fn counted(action: &str) -> &'static str {
    match action {
        "DescribeInstanceList" => "mqtt instances",
        "DescribeInstance" => "mqtt instance",
        "DescribeCaCertificates" => "mqtt authorities",
        "DescribeDeviceCertificates" => "mqtt devices",
        "DescribeDeviceCertificate" => "mqtt device",
        other => panic!("nobody asked for {other} before"),
    }
}

pub(super) fn answer(wire: &Wire, asked: &Asked, lie: Option<Lie>) -> Value {
    let listing = Listing { stage: &wire.stage, source: wire.index };
    // The scope goes as a whole, and is gone for who asks for it by name: its rows are still there.
    let is_gone = lie == Some(Lie::ScopeGone);
    let answer = match asked.action.as_str() {
        "DescribeInstanceList" if is_gone => json!({"TotalCount": 0, "Data": []}),
        "DescribeInstanceList" => {
            json!({"TotalCount": 1, "Data": [{"InstanceId": INSTANCE, "InstanceStatus": "RUNNING"}]})
        }
        "DescribeInstance" if is_gone => return error("ResourceNotFound.Instance"),
        "DescribeInstance" => json!({"InstanceId": INSTANCE, "X509Mode": "BYOC"}),
        "DescribeCaCertificates" => authorities(&listing, lie),
        "DescribeDeviceCertificates" => devices(&listing, asked, lie),
        _ => match device(&listing, asked.text("/DeviceCertificateSn")) {
            Some(row) => row,
            None => return error("ResourceNotFound.Certificate"),
        },
    };
    json!({ "Response": answer })
}

fn authorities(listing: &Listing<'_>, lie: Option<Lie>) -> Value {
    let real = listing.real(None, |one| one.kind == Kind::Ca);
    let lie = lie.filter(|lie| is_reading() && matches!(lie, Lie::Empty | Lie::Endless));
    let told = listing.tell(real, (0, usize::MAX), lie, |(place, _)| place);
    Telling::keep_list(&told, Covers::Kind(Kind::Ca), None);
    if !is_reading() {
        for one in listing.certificates() {
            if one.source == listing.source && one.kind == Kind::Ca {
                let is_there = one.is_listed(listing.stage.right());
                listing.stage.judge().asked(listing.source, &one.serial, is_there);
            }
        }
    }
    let rows = told.page.iter().map(|row| authority(listing, *row, lie == Some(Lie::Endless)));
    json!({"Data": rows.collect::<Vec<_>>(), "RequestId": "r"})
}

fn authority(listing: &Listing<'_>, (place, state): Row, endless: bool) -> Value {
    let one = &listing.certificates()[place];
    json!({
        "CaCn": one.holder, "CaSn": one.serial, "CaIssuerCn": "root", "CaCertificate": "", "Format": "PEM",
        "Status": word(state.status), "NotBeforeTime": begin(one), "NotAfterTime": end(place, state, endless),
    })
}

/// Returns a page of the devices. Who tries the filter out is not lied to about rows.
fn devices(listing: &Listing<'_>, asked: &Asked, lie: Option<Lie>) -> Value {
    let lie = lie.filter(|lie| is_reading() || *lie == Lie::Unfiltered);
    let within = filter(asked);
    let applied = within.filter(|_| lie != Some(Lie::Unfiltered));
    let real = listing.real(applied, |one| one.kind == Kind::Device);
    let page = (asked.number("/Offset"), asked.number("/Limit"));
    let mut told = listing.tell(real, page, lie, |(place, _)| place);
    let endless = told.lie == Some(Lie::Endless);
    let rows: Vec<_> = told.page.iter().map(|row| written(listing, *row, endless)).collect();
    told.page.retain(|(_, state)| is_within(within, *state));
    Telling::keep_list(&told, Covers::Kind(Kind::Device), within);
    json!({"TotalCount": told.total, "Data": rows, "RequestId": "r"})
}

/// Returns the ends that are asked for. Both are there, or none.
fn filter(asked: &Asked) -> Within {
    let filters = asked.body.pointer("/Filters").and_then(Value::as_array);
    let named = |name: &str| {
        let one = filters?.iter().find(|one| one["Name"] == name)?;
        let millis: i64 = one["Values"][0].as_str()?.parse().ok()?;
        Some(Timestamp::from_seconds(millis.div_euclid(1000)))
    };
    named("NotAfterStart").zip(named("NotAfterEnd"))
}

fn device(listing: &Listing<'_>, serial: &str) -> Option<Value> {
    let real = listing.real(None, |one| one.serial == serial && one.kind == Kind::Device);
    listing.stage.judge().asked(listing.source, serial, !real.is_empty());
    real.first().map(|row| written(listing, *row, false))
}

fn written(listing: &Listing<'_>, (place, state): Row, endless: bool) -> Value {
    let one = &listing.certificates()[place];
    json!({
        "ClientId": one.holder, "DeviceCertificateSn": one.serial, "DeviceCertificateCn": one.holder,
        "DeviceCertificate": "", "CaSn": "authority", "OrganizationalUnit": null, "Format": "PEM",
        "Status": word(state.status), "CertificateSource": "API", "NotBeforeTime": begin(one),
        "NotAfterTime": end(place, state, endless), "CreatedTime": one.listed * 1000,
    })
}

fn begin(one: &Certificate) -> i64 {
    one.not_before.unwrap_or(0) * 1000
}

/// 0 is never.
const fn end(place: usize, state: State, endless: bool) -> i64 {
    if endless && place.is_multiple_of(3) { 0 } else { state.end * 1000 }
}

const fn word(status: Status) -> &'static str {
    match status {
        Status::Inactive => "INACTIVE",
        Status::Pending => "PENDING_ACTIVATION",
        Status::Revoked => "REVOKED",
        _ => "ACTIVE",
    }
}
