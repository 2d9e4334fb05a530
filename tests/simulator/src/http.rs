//! HTTP/1.1 by hand, because a provider that misbehaves does so below what a server library lets through.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::clock::http_date;
use super::wire::{self, Wire};

/// A provider: what it answers depends on the request and on its own state, and never waits.
pub trait Cloud: Send + Sync + 'static {
    /// Answers one request.
    fn answer(&self, request: &Request<'_>) -> Reply;
}

/// A request, borrowed from where it is.
pub struct Request<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub query: &'a str,
    pub body: &'a [u8],
    pub(crate) headers: Vec<(&'a str, &'a str)>,
}

impl<'a> Request<'a> {
    /// Returns a request, for tests of what reads it.
    pub fn new(path: &'a str, headers: Vec<(&'a str, &'a str)>, body: &'a [u8]) -> Self {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        Self { method: "POST", path, query, body, headers }
    }

    /// Returns the trimmed value of a header.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }
}

/// An answer, and what becomes of it on its way.
pub struct Reply {
    pub status: u16,
    pub content_type: &'static str,
    pub body: Vec<u8>,
    /// The `Date` header, in seconds since 1970.
    pub date: i64,
    /// How long it takes.
    pub delay: Duration,
    /// Whether the body may be compressed.
    pub gzip: bool,
    /// How it is delivered.
    pub wire: Wire,
}

impl Reply {
    /// Returns an answer with status 200 and a JSON body.
    pub fn json(body: Vec<u8>, date: i64) -> Self {
        let delay = Duration::ZERO;
        let content_type = "application/json";
        Self { status: 200, content_type, body, date, delay, gzip: false, wire: Wire::Whole }
    }

    /// Returns the head of the response.
    pub fn head(&self, length: Option<u64>, encoding: Option<&str>) -> Vec<u8> {
        let (status, kind, date) = (self.status, self.content_type, http_date(self.date));
        let length = match length {
            Some(length) => format!("Content-Length: {length}\r\n"),
            None => "Transfer-Encoding: chunked\r\n".to_owned(),
        };
        let encoding = encoding.map_or(String::new(), |it| format!("Content-Encoding: {it}\r\n"));
        let head = format!(
            "HTTP/1.1 {status} {}\r\nContent-Type: {kind}\r\nDate: {date}\r\nServer: simulator\r\n{length}{encoding}\r\n",
            reason(status),
        );
        head.into_bytes()
    }
}

/// Accepts connections until it is dropped, and with it every connection. `opened` counts them.
pub async fn serve(listener: TcpListener, cloud: Arc<dyn Cloud>, opened: Arc<AtomicU64>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                opened.fetch_add(1, Ordering::Relaxed);
                let cloud = Arc::clone(&cloud);
                connections.spawn(async move {
                    // A client that goes away, or is thrown out, ends the connection and nothing else.
                    drop(converse(stream, cloud).await);
                });
            },
        }
    }
}

/// The most that a client may send.
const LARGEST_REQUEST: usize = 10 * 1024 * 1024;

async fn converse(mut stream: TcpStream, cloud: Arc<dyn Cloud>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(8 * 1024);
    loop {
        let Some((head, total)) = read_request(&mut stream, &mut buffer).await? else {
            return Ok(());
        };
        let (reply, packed, close) = {
            let request = parse(&buffer[..head], &buffer[head..total])?;
            let accepts =
                request.header("accept-encoding").is_some_and(|value| value.contains("gzip"));
            let close =
                request.header("connection").is_some_and(|it| it.eq_ignore_ascii_case("close"));
            let reply = answer(&*cloud, &request).await;
            let packed = reply.gzip && accepts;
            (reply, packed, close)
        };
        buffer.drain(..total);
        let goes_on = wire::deliver(&mut stream, reply, packed).await?;
        if close || !goes_on {
            stream.shutdown().await?;
            return Ok(());
        }
    }
}

/// Answers one request, after the time that the answer takes.
pub(crate) async fn answer(cloud: &dyn Cloud, request: &Request<'_>) -> Reply {
    let reply = cloud.answer(request);
    if !reply.delay.is_zero() {
        tokio::time::sleep(reply.delay).await;
    }
    reply
}

/// Reads until a whole request is in the buffer; returns the lengths of its head and of all of it.
async fn read_request(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
) -> io::Result<Option<(usize, usize)>> {
    let head = loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if buffer.len() > 64 * 1024 {
            return Err(io::Error::other("the head of a request has no end"));
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let total = head + body_length(&buffer[..head])?;
    while buffer.len() < total {
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some((head, total)))
}

fn body_length(head: &[u8]) -> io::Result<usize> {
    let request = parse(head, &[])?;
    if request.header("transfer-encoding").is_some() {
        return Err(io::Error::other("the providers want a Content-Length"));
    }
    let length = request.header("content-length").map_or(Ok(0), str::parse::<usize>);
    length
        .ok()
        .filter(|length| *length <= LARGEST_REQUEST)
        .ok_or_else(|| io::Error::other("the body of a request is too large"))
}

fn parse<'a>(head: &'a [u8], body: &'a [u8]) -> io::Result<Request<'a>> {
    let broken = || io::Error::other("this is not HTTP/1.1");
    let head = std::str::from_utf8(head).map_err(|_| broken())?;
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap_or("").split(' ');
    let (Some(method), Some(target), Some("HTTP/1.1")) = (first.next(), first.next(), first.next())
    else {
        return Err(broken());
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name, value.trim()))
        .collect();
    Ok(Request { method, path, query, body, headers })
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}
