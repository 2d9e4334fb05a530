//! The network: requests go to the simulated vendors in process, take their time, and get lost now and then.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::http::{Request as Asked, Response as Answered};
use bytes::Bytes;
use notafter::facade::client::http::{HttpError, Reach, Request, Response, Transport};
use simulator::{Broken, Services};
use xxhash_rust::xxh3::xxh3_64;

use super::fate::Fate;
use super::trace::Trace;

/// Of so many requests one is lost, of so many one answer.
const LOSSES: u64 = 60;

pub(crate) struct SimNetwork {
    pub(crate) services: Arc<Services>,
    pub(crate) fate: Arc<Fate>,
    pub(crate) trace: Arc<Trace>,
    /// The hosts that did what was asked and whose answers were lost.
    pub(crate) unheard: Mutex<Vec<String>>,
}

#[async_trait]
impl Transport for SimNetwork {
    async fn carry(&self, request: Request, _: Reach) -> Result<Response, HttpError> {
        let host = request.url.host_str().unwrap().to_owned();
        self.trace.note(&host, &shown(&request));
        self.fate.latency(&host).await;
        if self.fate.happens(&format!("{host} loses a request"), LOSSES) {
            self.trace.note(&host, "never got it");
            return Err(HttpError::Connect("no route to host".to_owned()));
        }
        let answer = self.services.carry(asked(request)).await;
        if self.fate.happens(&format!("{host} loses an answer"), LOSSES) {
            self.trace.note(&host, "the answer is lost");
            self.unheard.lock().unwrap().push(host);
            return Err(HttpError::Reset("connection reset by peer".to_owned()));
        }
        let answer = answer.map(heard).map_err(broken);
        self.trace.note(&host, &format!("answers {}", outcome(&answer)));
        answer
    }
}

/// Returns all of a request, so that two traces differ where two requests do.
fn shown(request: &Request) -> String {
    let headers = request
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or("not text")));
    let headers = headers.collect::<Vec<_>>().join(" | ");
    let body = String::from_utf8_lossy(&request.body);
    format!("{} {} {headers} {body}", request.method, request.url)
}

/// Returns all of an answer that is short, and of another a digest.
fn outcome(answer: &Result<Response, HttpError>) -> String {
    match answer {
        Ok(Response { status, body, .. }) if body.len() < 300 => {
            format!("{status} {}", String::from_utf8_lossy(body))
        }
        Ok(Response { status, body, .. }) => {
            format!("{status} {} bytes {:016x}", body.len(), xxh3_64(body))
        }
        Err(error) => error.to_string(),
    }
}

fn asked(request: Request) -> Asked<Bytes> {
    let Request { method, url, headers, body, .. } = request;
    let mut asked = Asked::builder().method(method).uri(url.as_str()).body(body).unwrap();
    asked.headers_mut().extend(headers);
    asked
}

fn heard(answer: Answered<Bytes>) -> Response {
    let (head, body) = answer.into_parts();
    Response { status: head.status.as_u16(), headers: head.headers, body }
}

fn broken(broken: Broken) -> HttpError {
    match broken {
        Broken::NoSuchHost => HttpError::Connect("no such host".to_owned()),
        Broken::Reset => HttpError::Reset("connection reset by peer".to_owned()),
        Broken::Truncated => HttpError::Body("the body ends early".to_owned()),
    }
}
