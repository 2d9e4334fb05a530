//! The simulated `EnOS` does what is documented of the real one.

#![expect(clippy::unwrap_used, reason = "a test that cannot ask has failed")]

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::asking::{Caller, token_body};
use crate::simulator_itself::{caller, start};
use simulator::clock::wall_seconds;
use simulator::fault::{Fault, Times};
use simulator::{POISON, Service, Simulator};

/// A token and a clock that never shows the same millisecond twice.
struct Session {
    caller: Caller,
    token: String,
    millis: std::cell::Cell<i64>,
}

impl Session {
    async fn open(simulator: &Simulator) -> Self {
        let caller = caller();
        let millis = wall_seconds() * 1000;
        let came = caller.enos_token(simulator, millis).await.json();
        let token = came["data"]["accessToken"].as_str().unwrap().to_owned();
        Self { caller, token, millis: std::cell::Cell::new(millis) }
    }

    fn tick(&self) -> i64 {
        self.millis.set(self.millis.get() + 1);
        self.millis.get()
    }

    async fn certificates(&self, simulator: &Simulator, query: &[(&str, &str)]) -> Value {
        let asked = ("v2.0/certificates", "list");
        let key = (self.token.as_str(), self.tick());
        self.caller.enos(simulator, key, asked, (query, None)).await.unwrap().json()
    }

    async fn search(&self, simulator: &Simulator, what: &str, body: &Value) -> Value {
        let path = format!("v2.1/{what}");
        let key = (self.token.as_str(), self.tick());
        let asked = (path.as_str(), "search");
        self.caller.enos(simulator, key, asked, (&[], Some(body))).await.unwrap().json()
    }
}

#[tokio::test]
async fn enos_tokens_are_shared_replays_refused_and_expiry_told() {
    let simulator = start().await;
    let session = Session::open(&simulator).await;
    let again = session.caller.enos_token(&simulator, session.tick()).await.json();
    assert_eq!(
        again["data"]["accessToken"],
        json!(session.token),
        "the same token until it expires"
    );
    assert!((7190..=7200).contains(&again["data"]["expire"].as_i64().unwrap()));
    let replay = session.caller.enos_token(&simulator, session.millis.get()).await.json();
    assert_eq!(replay["status"], json!(1001));
    let mut refresh = token_body(session.tick());
    refresh["accessToken"] = json!(session.token);
    let path = "/apim-token-service/v2.0/token/refresh";
    let new = session.caller.enos_raw(&simulator, path, &refresh).await.unwrap().json();
    assert_ne!(new["data"]["accessToken"], json!(session.token));
    assert_eq!(session.search(&simulator, "products", &json!({})).await["code"], json!(0));
    simulator.fault(Service::Enos, Fault::ExpiredToken, Times::Once);
    assert_eq!(session.search(&simulator, "products", &json!({})).await["status"], json!(1203));
    let mut refresh = token_body(session.tick());
    refresh["accessToken"] = json!(session.token);
    let late = session.caller.enos_raw(&simulator, path, &refresh).await.unwrap().json();
    assert_eq!(late["status"], json!(1204));
    let mut unknown = token_body(session.tick());
    unknown["appKey"] = json!("nobody");
    let path = "/apim-token-service/v2.0/token/get";
    let unknown = session.caller.enos_raw(&simulator, path, &unknown).await.unwrap().json();
    assert_eq!(unknown["status"], json!(1002));
}

#[tokio::test]
async fn enos_lists_products_devices_and_certificates() {
    let simulator = start().await;
    let session = Session::open(&simulator).await;
    let products = session.search(&simulator, "products", &json!({})).await;
    let (key, _) = simulator.enos().products()[0].clone();
    let mutual =
        products["data"].as_array().unwrap().iter().filter(|it| it["biDirectionalAuth"] == true);
    assert_eq!(mutual.map(|it| it["productKey"].clone()).collect::<Vec<_>>(), [json!(key)]);
    let mut found = Vec::new();
    for page in 1..=2 {
        let body = json!({
            "expression": format!("productKey='{key}'"),
            "pagination": {"pageNo": page, "pageSize": 500},
            "projection": ["assetId", "productKey", "deviceKey"],
        });
        let answer = session.search(&simulator, "devices", &body).await;
        assert_eq!(answer["pagination"]["totalSize"], json!(260));
        assert_eq!(answer["pagination"]["pageSize"], json!(200), "larger pages are clamped");
        found.extend(answer["data"].as_array().unwrap().clone());
    }
    let wanted: Vec<Value> = simulator.enos().devices().into_iter().filter(|(_, product, _)| *product == key)
        .map(|(asset, product, device)| json!({"assetId": asset, "productKey": product, "deviceKey": device}))
        .collect();
    assert_eq!(found, wanted);
    let mut serials = BTreeSet::new();
    for (index, device) in found.iter().enumerate() {
        let text = |name: &str| device[name].as_str().unwrap();
        let by_keys = [("productKey", text("productKey")), ("deviceKey", text("deviceKey"))];
        let by_asset = [("assetId", text("assetId"))];
        let query: &[(&str, &str)] = if index % 2 == 0 { &by_keys } else { &by_asset };
        let answer = session.certificates(&simulator, query).await;
        assert_eq!(answer["code"], json!(0), "{query:?}");
        for row in answer["data"].as_array().unwrap() {
            assert!(row["effetiveDate"].as_i64().unwrap() < row["expireDate"].as_i64().unwrap());
            let end = row["expireDate"].as_i64().unwrap() / 1000;
            serials.insert((
                row["certSN"].as_str().unwrap().to_owned(),
                end,
                row["certStatus"].to_string(),
            ));
        }
    }
    let truth = simulator.enos().truth().into_iter();
    let wanted = truth.map(|it| (it.serial, it.not_after.unwrap(), it.status)).collect();
    assert_eq!(serials, wanted);
}

#[tokio::test]
async fn enos_shows_secrets_to_those_who_ask_for_everything() {
    let simulator = start().await;
    let session = Session::open(&simulator).await;
    let devices = session.search(&simulator, "devices", &json!({})).await;
    assert_eq!(devices["data"].as_array().map(Vec::len), Some(10), "ten by default");
    assert_eq!(devices["data"][0]["deviceSecret"], json!(POISON));
    let products = session.search(&simulator, "products", &json!({})).await;
    assert_eq!(products["data"][0]["productSecret"], json!(POISON));
}

#[tokio::test]
async fn enos_refuses_in_its_own_words() {
    let simulator = start().await;
    let session = Session::open(&simulator).await;
    let (asset, _, _) = simulator.enos().devices()[0].clone();
    assert_eq!(
        session.certificates(&simulator, &[("assetId", "none")]).await["code"],
        json!(11404)
    );
    assert_eq!(session.certificates(&simulator, &[]).await["code"], json!(99400));
    let foreign = [("assetId", asset.as_str()), ("orgId", "o1")];
    assert_eq!(session.certificates(&simulator, &foreign).await["code"], json!(99403));
    let bad = session.search(&simulator, "devices", &json!({"expression": "secret = 'x'"})).await;
    assert_eq!(bad["code"], json!(99400));
    let device = simulator.enos().devices().len() as u64 - 1;
    assert!(simulator.enos().delete(device));
    assert_eq!(
        session.certificates(&simulator, &[("assetId", &asset)]).await["code"],
        json!(11404)
    );
    let key = ("not-the-token", session.tick());
    let asked = ("v2.0/certificates", "list");
    let stranger = session.caller.enos(&simulator, key, asked, (&[], None)).await.unwrap();
    assert_eq!((stranger.status, stranger.json()["status"].clone()), (200, json!(1203)));
    simulator.enos().set_gateway_status(401);
    simulator.fault(Service::Enos, Fault::Throttle, Times::Once);
    let key = (session.token.as_str(), session.tick());
    let throttled = session.caller.enos(&simulator, key, asked, (&[], None)).await.unwrap();
    assert_eq!(throttled.status, 429);
}
