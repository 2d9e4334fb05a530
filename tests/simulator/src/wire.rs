//! How an answer gets to the client: whole, or not.

use std::io::{self, Write as _};
use std::time::Duration;

use bytes::Buf;
use flate2::{Compress, Compression, Crc, FlushCompress, write::GzEncoder};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::http::Reply;

/// What becomes of an answer on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// It arrives.
    Whole,
    /// It never comes, and the connection stays open.
    Hang,
    /// The connection is reset before anything is sent.
    ResetAtOnce,
    /// The connection is reset in the middle of the body.
    ResetInside,
    /// The connection is closed in the middle of the body, as if it were done.
    Truncated,
    /// The body has this many bytes: blanks, and then the answer.
    Oversized { bytes: u64, declared: bool },
    /// The body is small and gzip makes this many bytes of it: blanks, and then the answer.
    Bomb { bytes: u64 },
}

/// Sends an answer; returns whether the connection can be used again.
pub(crate) async fn deliver(
    stream: &mut TcpStream,
    reply: Reply,
    packed: bool,
) -> io::Result<bool> {
    match reply.wire {
        Wire::Whole => send_whole(stream, reply, packed).await.map(|()| true),
        Wire::Hang => wait_for_the_client_to_leave(stream).await.map(|()| false),
        Wire::ResetAtOnce => reset(stream).map(|()| false),
        Wire::ResetInside => {
            send_half(stream, &reply).await?;
            reset(stream).map(|()| false)
        }
        Wire::Truncated => send_half(stream, &reply).await.map(|()| false),
        Wire::Oversized { bytes, declared } => {
            send_oversized(stream, &reply, bytes, declared).await.map(|()| false)
        }
        Wire::Bomb { bytes } => {
            let body = bomb(bytes, &reply.body);
            let head = reply.head(Some(body.len() as u64), Some("gzip"));
            send(stream, &head, &body[..]).await.map(|()| true)
        }
    }
}

/// Sends head and body in one call to the system where it can.
async fn send(stream: &mut TcpStream, head: &[u8], body: &[u8]) -> io::Result<()> {
    stream.write_all_buf(&mut Buf::chain(head, body)).await
}

async fn send_whole(stream: &mut TcpStream, reply: Reply, packed: bool) -> io::Result<()> {
    if packed && reply.body.len() > 1024 {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&reply.body)?;
        let body = encoder.finish()?;
        let head = reply.head(Some(body.len() as u64), Some("gzip"));
        return send(stream, &head, &body[..]).await;
    }
    let head = reply.head(Some(reply.body.len() as u64), None);
    send(stream, &head, &reply.body[..]).await
}

async fn wait_for_the_client_to_leave(stream: &mut TcpStream) -> io::Result<()> {
    let mut sink = [0; 1024];
    while stream.read(&mut sink).await? > 0 {}
    Ok(())
}

/// With a linger time of zero, closing sends a reset.
fn reset(stream: &TcpStream) -> io::Result<()> {
    stream.set_zero_linger()
}

async fn send_half(stream: &mut TcpStream, reply: &Reply) -> io::Result<()> {
    let head = reply.head(Some(reply.body.len().max(2) as u64), None);
    let half = &reply.body[..reply.body.len() / 2];
    send(stream, &head, half).await?;
    stream.flush().await?;
    // A reset overtakes what is still in the socket: give the client time to read the head.
    tokio::time::sleep(Duration::from_millis(5)).await;
    Ok(())
}

async fn send_oversized(
    stream: &mut TcpStream,
    reply: &Reply,
    bytes: u64,
    declared: bool,
) -> io::Result<()> {
    let blanks = vec![b' '; 64 * 1024];
    let body = reply.body.len() as u64;
    stream.write_all(&reply.head(declared.then_some(bytes.max(body)), None)).await?;
    let mut left = bytes.saturating_sub(body);
    while left > 0 {
        let next = &blanks[..left.min(blanks.len() as u64) as usize];
        send_part(stream, next, declared).await?;
        left -= next.len() as u64;
    }
    send_part(stream, &reply.body, declared).await?;
    if declared { Ok(()) } else { stream.write_all(b"0\r\n\r\n").await }
}

async fn send_part(stream: &mut TcpStream, part: &[u8], declared: bool) -> io::Result<()> {
    if declared {
        return stream.write_all(part).await;
    }
    stream.write_all(format!("{:x}\r\n", part.len()).as_bytes()).await?;
    stream.write_all(part).await?;
    stream.write_all(b"\r\n").await
}

/// Returns a gzip member of blanks and `body`. A block that ends with a full flush can be repeated as it is, so a
/// bomb of any size is made of one compressed block.
fn bomb(bytes: u64, body: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 1024 * 1024;
    let blanks = vec![b' '; BLOCK];
    let block = deflate(&blanks, FlushCompress::Full);
    let mut of_block = Crc::new();
    of_block.update(&blanks);
    let mut crc = Crc::new();
    let mut out = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF];
    for _ in 0..bytes / BLOCK as u64 {
        out.extend_from_slice(&block);
        crc.combine(&of_block);
    }
    out.extend_from_slice(&deflate(body, FlushCompress::Finish));
    let mut of_body = Crc::new();
    of_body.update(body);
    crc.combine(&of_body);
    out.extend_from_slice(&crc.sum().to_le_bytes());
    out.extend_from_slice(&crc.amount().to_le_bytes());
    out
}

fn deflate(bytes: &[u8], flush: FlushCompress) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 1024);
    let mut compress = Compress::new(Compression::best(), false);
    compress.compress_vec(bytes, &mut out, flush).expect("blanks can be compressed");
    out
}
