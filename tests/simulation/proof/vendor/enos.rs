//! Pages of EnOS: a token, one product, its devices newest first, and the certificates of one device at a time.

use notafter::facade::expiry::Status;
use serde_json::{Value, json};
use simulator::enos::Token;

use super::super::listing::{Listing, Row};
use super::super::scene::Lie;
use super::telling::{Covers, Telling};
use super::wire::{Asked, Wire};

pub(super) const OPTIONS: &str = "endpoint = 'https://apim.example.com'\norg_id = 'o1'\n\
    app_key = { env = 'APP_KEY' }\napp_secret = { env = 'APP_SECRET' }\nfull_scan = 'every 24h'\n";

const PRODUCT: &str = "proof";

pub(super) fn token(token: &Token) -> Value {
    json!({"status": 0, "msg": "SUCCESS", "data": {"accessToken": token.text, "expire": token.expire}})
}

pub(super) fn answer(wire: &Wire, asked: &Asked, lie: Option<Lie>) -> Value {
    let listing = Listing { stage: &wire.stage, source: wire.index };
    match asked.action.as_str() {
        "products" => {
            let product = json!({"productKey": PRODUCT, "biDirectionalAuth": true});
            json!({"code": 0, "data": [product], "pagination": {"totalSize": 1}})
        }
        "devices" => devices(&listing, asked, lie),
        _ => certificates(&listing, &asked.query["deviceKey"], lie),
    }
}

/// Returns the devices that are there: those with a certificate, and every other one that ever had one. Each is named by
/// the place of its first certificate.
fn known(listing: &Listing<'_>) -> Vec<usize> {
    let now = listing.stage.right();
    let own = listing
        .certificates()
        .iter()
        .enumerate()
        .filter(|(_, one)| one.source == listing.source && one.listed <= now);
    let mut known: Vec<usize> = Vec::new();
    for (place, one) in own {
        let stays = one.is_listed(now) || one.serial.len().is_multiple_of(2);
        let is_new = known.iter().all(|other| listing.certificates()[*other].holder != one.holder);
        if stays && is_new {
            known.push(place);
        }
    }
    known.reverse();
    known
}

fn devices(listing: &Listing<'_>, asked: &Asked, lie: Option<Lie>) -> Value {
    let (number, size) = (asked.number("/pagination/pageNo"), asked.number("/pagination/pageSize"));
    let lists = |lie: &Lie| !matches!(lie, Lie::ScopeGone | Lie::Unfiltered | Lie::Endless);
    let told =
        listing.tell(known(listing), ((number - 1) * size, size), lie.filter(lists), |row| row);
    let holder = |place: &usize| listing.certificates()[*place].holder.as_str();
    let all = listing.real(None, |one| told.all.iter().any(|place| holder(place) == one.holder));
    Telling::keep(all, Vec::new(), told.lie, (Covers::All, None));
    let rows: Vec<_> = told
        .page
        .iter()
        .map(|place| json!({"productKey": PRODUCT, "deviceKey": holder(place), "assetId": format!("a{place}")}))
        .collect();
    json!({"code": 0, "data": rows, "pagination": {"pageNo": number, "totalSize": told.total}})
}

fn certificates(listing: &Listing<'_>, device: &str, lie: Option<Lie>) -> Value {
    let real = listing.real(None, |one| one.holder == device);
    let lie = lie.filter(|lie| *lie == Lie::Endless);
    Telling::keep(real.clone(), real.clone(), lie, (Covers::Holder(device.to_owned()), None));
    let rows: Vec<_> = real.iter().map(|row| written(listing, *row, lie.is_some())).collect();
    json!({"code": 0, "msg": "OK", "data": rows})
}

fn written(listing: &Listing<'_>, (place, state): Row, endless: bool) -> Value {
    let one = &listing.certificates()[place];
    let is_over = state.end <= listing.stage.right();
    let status = match state.status {
        Status::Revoked => 1,
        _ if is_over => 2,
        _ => 0,
    };
    let end = (!(endless && place.is_multiple_of(3))).then_some(state.end * 1000);
    json!({
        "certSN": one.serial, "cert": one.serial, "certStatus": status, "issueAuthority": "ECC",
        "subject": "OU=EnOS, CN=device, O=EnOS", "effetiveDate": one.not_before.map(|start| start * 1000),
        "expireDate": end,
    })
}
