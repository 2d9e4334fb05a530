//! Who waits for signs of life. No other request leaves: what is said is heard by the rooms themselves.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use notafter::facade::client::http::{HttpError, Reach, Request, Response, Transport};

use super::stage::Stage;

pub(crate) struct Watcher(pub(crate) Arc<Stage>);

#[async_trait]
impl Transport for Watcher {
    async fn carry(&self, request: Request, _: Reach) -> Result<Response, HttpError> {
        let stage = &self.0;
        let is_well = match request.url.path() {
            "/beat" => true,
            "/beat/fail" => false,
            _ => return Err(HttpError::Connect("there is no network".to_owned())),
        };
        stage.cross("watcher", || format!("hears that all is well: {is_well}")).await;
        stage.judge().beat(is_well);
        let (head, body) = axum::http::Response::new(Bytes::new()).into_parts();
        Ok(Response { status: 200, headers: head.headers, body })
    }
}
