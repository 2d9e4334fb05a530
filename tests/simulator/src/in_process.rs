//! Answers without a socket: a request goes to the service that its host names.

use axum::body::{Body, to_bytes};
use axum::http::uri::Uri;
use axum::http::{Request, Response};
use bytes::Bytes;
use tower::ServiceExt as _;

use super::Services;
use super::clock::http_date;
use super::http::{self, Cloud, Reply};
use super::wire::Wire;

/// Where each cloud is, in the order of [`Services::clouds`].
const CLOUDS: [&str; 3] =
    ["mqtt.tencentcloudapi.com", "ssl.tencentcloudapi.com", "apim-ppe1.envisioniot.com"];

/// Where each chat service is, and where its robots are under the simulated ones.
const CHATS: [(&str, &str); 12] = [
    ("hooks.slack.com", "/slack"),
    ("open.feishu.cn", "/feishu"),
    ("oapi.dingtalk.com", "/dingtalk"),
    ("qyapi.weixin.qq.com", "/wecom"),
    ("receiver.example.com", ""),
    ("discord.com", "/discord"),
    ("prod-1.westeurope.logic.azure.com", "/teams"),
    ("mattermost.example.com", "/mattermost"),
    ("chat.googleapis.com", "/google-chat"),
    ("api.telegram.org", "/telegram"),
    ("ntfy.sh", ""),
    ("events.pagerduty.com", ""),
];

/// Why a request has no whole answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Nobody is there.
    NoSuchHost,
    /// The connection was reset before the answer.
    Reset,
    /// The connection ended inside the body.
    Truncated,
}

impl Services {
    /// Answers a request to one of the vendors' own hosts, or for webhooks to `receiver.example.com`.
    pub async fn carry(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Broken> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        if let Some(place) = CLOUDS.iter().position(|known| *known == host) {
            return ask(&*self.clouds()[place], &request).await;
        }
        let chat = CHATS.iter().find(|(known, _)| *known == host);
        let (_, under) = chat.ok_or(Broken::NoSuchHost)?;
        self.post(under, request).await
    }

    async fn post(&self, under: &str, request: Request<Bytes>) -> Result<Response<Bytes>, Broken> {
        let (mut head, body) = request.into_parts();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        head.uri = format!("{under}{path}").parse().expect("a path after a path is a path");
        let request = Request::from_parts(head, Body::from(body));
        let answered = self.chat().router().oneshot(request).await;
        let (head, body) = answered.expect("a router answers").into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("the body is in memory");
        Ok(Response::from_parts(head, body))
    }
}

async fn ask(cloud: &dyn Cloud, request: &Request<Bytes>) -> Result<Response<Bytes>, Broken> {
    let reply = http::answer(cloud, &borrowed(request)).await;
    match reply.wire {
        Wire::Whole => Ok(response(reply, 0)),
        Wire::Hang => std::future::pending().await,
        Wire::ResetAtOnce => Err(Broken::Reset),
        Wire::ResetInside | Wire::Truncated => Err(Broken::Truncated),
        Wire::Oversized { bytes, .. } | Wire::Bomb { bytes } => Ok(response(reply, bytes as usize)),
    }
}

/// Returns the request as the clouds read it, with the `Host` that a client adds.
fn borrowed(request: &Request<Bytes>) -> http::Request<'_> {
    let uri: &Uri = request.uri();
    let host = uri.authority().map(|authority| ("host", authority.as_str()));
    let headers = request.headers().iter();
    let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    http::Request {
        method: request.method().as_str(),
        path: uri.path(),
        query: uri.query().unwrap_or(""),
        body: request.body(),
        headers: host.into_iter().chain(headers).collect(),
    }
}

/// Returns a whole answer, after so many blanks.
fn response(reply: Reply, blanks: usize) -> Response<Bytes> {
    let mut body = vec![b' '; blanks];
    body.extend(reply.body);
    Response::builder()
        .status(reply.status)
        .header("content-type", reply.content_type)
        .header("date", http_date(reply.date))
        .body(body.into())
        .expect("the simulator's own headers are headers")
}

#[cfg(test)]
mod tests;
