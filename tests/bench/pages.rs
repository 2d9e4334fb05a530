//! How fast the simulator is by itself, so that nobody takes its limits for the daemon's.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use anyhow::Context as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::de::IgnoredAny;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::Options;
use crate::process::Process;
use crate::provider::{INSTANCE, LIST, Provider};
use crate::report::{Budget, Report};
use simulator::clock::{utc_date, wall_seconds};
use simulator::fleet::Data;
use simulator::{SECRET_ID, SECRET_KEY};

/// Pages that are asked for.
const PAGES: u64 = 4000;
/// How often a page is read again in memory.
const SKIPPED: u64 = 5000;
/// Rows of a page.
const LIMIT: u64 = 100;
/// Connections at a time.
const CONNECTIONS: usize = 2;

/// Reads pages as fast as a client can that does nothing with them: nobody reads them for less.
pub(crate) fn measure(options: &Options, report: &mut Report) -> anyhow::Result<()> {
    for &data in &options.data {
        report.of(data.as_str(), options.rows.max(LIMIT));
        received(data, options.rows.max(LIMIT), report)?;
    }
    if let [one, other] = options.data[..] {
        report.side_by_side([one.as_str(), other.as_str()]);
    }
    Ok(())
}

fn received(data: Data, rows: u64, report: &mut Report) -> anyhow::Result<()> {
    let provider = Provider::with(rows, data)?;
    let requests: Vec<Vec<u8>> = (0..PAGES)
        .map(|page| request(&provider.authority, page * (LIMIT - 10) % (rows - LIMIT + 1)))
        .collect();
    let (before, own) = (provider.process.cpu()?, Process::of_itself()?);
    let started = Instant::now();
    let bytes = read(&provider.authority, &requests)?;
    let seconds = started.elapsed().as_secs_f64();
    let (cpu, own) = (provider.process.cpu()? - before, Process::of_itself()? - own);
    let rows_read = (PAGES * LIMIT) as f64;
    let million = rows_read / 1e6;
    report.add("the simulator alone: pages a second", PAGES as f64 / seconds, "1/s", Budget::None);
    report.add("  bytes of a row on the wire", bytes as f64 / rows_read, "B", Budget::None);
    report.add("  its rows a second", rows_read / seconds, "1/s", Budget::None);
    report.add("  its CPU per million rows", cpu / million, "s", Budget::None);
    let what = "receiving them and nothing more: CPU per million rows";
    report.add(what, own / million, "s", Budget::None);
    let skipped = skip(&fetch(&provider.authority, 0)?)?;
    let what = "reading them with serde_json, kept nothing: CPU per million rows";
    report.add(what, skipped, "s", Budget::None);
    Ok(())
}

/// Returns the seconds of processor time in which serde reads a million rows of such pages without keeping any.
fn skip(answer: &[u8]) -> anyhow::Result<f64> {
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n").context("no head")? + 4;
    let body = answer.get(head..).unwrap_or_default();
    let before = Process::of_itself()?;
    for _ in 0..SKIPPED {
        serde_json::from_slice::<IgnoredAny>(std::hint::black_box(body))?;
    }
    Ok((Process::of_itself()? - before) / (SKIPPED * LIMIT) as f64 * 1e6)
}

/// Shares the requests between connections, and returns the bytes that were received.
fn read(authority: &str, requests: &[Vec<u8>]) -> anyhow::Result<u64> {
    let share = requests.len().div_ceil(CONNECTIONS);
    std::thread::scope(|scope| {
        let readers: Vec<_> = requests
            .chunks(share)
            .map(|requests| scope.spawn(move || converse(authority, requests)))
            .collect();
        let mut bytes = 0;
        for reader in readers {
            bytes += reader.join().ok().context("a reader panicked")??;
        }
        Ok(bytes)
    })
}

/// Returns the answer to a request for the page at `offset`, head and all.
pub(crate) fn fetch(authority: &str, offset: u64) -> anyhow::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(authority)?;
    stream.write_all(&request(authority, offset))?;
    let mut buffer = vec![0; 1024 * 1024];
    let length = receive(&mut stream, &mut buffer)?;
    buffer.truncate(usize::try_from(length)?);
    Ok(buffer)
}

fn converse(authority: &str, requests: &[Vec<u8>]) -> anyhow::Result<u64> {
    let mut stream = TcpStream::connect(authority)?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 1024 * 1024];
    let mut bytes = 0;
    for request in requests {
        stream.write_all(request)?;
        bytes += receive(&mut stream, &mut buffer)?;
    }
    Ok(bytes)
}

/// Reads one answer and returns its length.
fn receive(stream: &mut TcpStream, buffer: &mut [u8]) -> anyhow::Result<u64> {
    let mut filled = 0;
    let mut wanted = usize::MAX;
    while filled < wanted {
        let count = stream.read(buffer.get_mut(filled..).context("the answer is too large")?)?;
        anyhow::ensure!(count > 0, "the simulator closed the connection");
        filled += count;
        if wanted == usize::MAX {
            wanted = length(buffer.get(..filled).unwrap_or_default()).unwrap_or(usize::MAX);
        }
    }
    Ok(wanted as u64)
}

/// Returns the length of an answer, head included, once its head is there.
fn length(answer: &[u8]) -> Option<usize> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(answer.get(..end)?).ok()?;
    let body = head.lines().find_map(|line| line.strip_prefix("Content-Length: "))?;
    Some(end + body.parse::<usize>().ok()?)
}

/// Returns a signed request for a page.
fn request(authority: &str, offset: u64) -> Vec<u8> {
    let body = format!(
        r#"{{"InstanceId":"{INSTANCE}","Limit":{LIMIT},"Offset":{offset},"OrderBy":"CREATE_TIME_ASC"}}"#
    );
    let now = wall_seconds();
    let (scope, signature) = signed(authority, &body, now);
    format!(
        "POST / HTTP/1.1\r\nHost: {authority}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         X-TC-Action: {LIST}\r\nX-TC-Version: 2024-05-16\r\nX-TC-Region: ap-guangzhou\r\nX-TC-Timestamp: {now}\r\n\
         Authorization: TC3-HMAC-SHA256 Credential={SECRET_ID}/{scope}, SignedHeaders=content-type;host, \
         Signature={signature}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn signed(authority: &str, body: &str, now: i64) -> (String, String) {
    let digest = |text: &str| hex::encode(Sha256::digest(text.as_bytes()));
    let canonical = format!(
        "POST\n/\n\ncontent-type:application/json\nhost:{authority}\n\ncontent-type;host\n{}",
        digest(body)
    );
    let date = utc_date(now);
    let scope = format!("{date}/mqtt/tc3_request");
    let text = format!("TC3-HMAC-SHA256\n{now}\n{scope}\n{}", digest(&canonical));
    let key = mac(format!("TC3{SECRET_KEY}").as_bytes(), &date);
    let key = mac(&mac(&key, "mqtt"), "tc3_request");
    (scope, hex::encode(mac(&key, &text)))
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key may have any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}
