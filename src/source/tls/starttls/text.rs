//! Protocols of lines, and one of XML.

use tokio::io::{AsyncRead, AsyncWrite};

use super::{Refusal, Wire};
use crate::expiry::text::{cut_chars, printable};

/// Longer answers are cut.
const SHOWN: usize = 80;

fn refused(line: &str) -> Refusal {
    Refusal::Refused(cut_chars(&printable(line), SHOWN))
}

/// RFC 3207.
pub(super) async fn smtp<S>(wire: &mut Wire<'_, S>) -> Result<(), Refusal>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    reply(wire, "220").await?;
    wire.send(b"EHLO notafter.invalid\r\n").await?;
    reply(wire, "250").await?;
    wire.send(b"STARTTLS\r\n").await?;
    reply(wire, "220").await
}

/// Reads a reply of SMTP to its last line.
async fn reply<S>(wire: &mut Wire<'_, S>, code: &str) -> Result<(), Refusal>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    loop {
        let line = wire.until(b'\n').await?;
        let mut rest = line.chars().skip(3);
        match (line.get(..3), rest.next()) {
            (Some(found), Some('-')) if found == code => {}
            (Some(found), Some(' ') | None) if found == code => return Ok(()),
            (Some(found), _) if found.bytes().all(|byte| byte.is_ascii_digit()) => {
                return Err(refused(&line));
            }
            _ => return Err(Refusal::Foreign),
        }
    }
}

/// RFC 3501 §6.2.1.
pub(super) async fn imap<S>(wire: &mut Wire<'_, S>) -> Result<(), Refusal>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let greeting = wire.until(b'\n').await?;
    if !greeting.starts_with("* ") {
        return Err(Refusal::Foreign);
    }
    if !greeting.starts_with("* OK") {
        return Err(refused(&greeting));
    }
    wire.send(b"a STARTTLS\r\n").await?;
    loop {
        let line = wire.until(b'\n').await?;
        if line.starts_with("a OK") {
            return Ok(());
        }
        if !line.starts_with("* ") {
            return Err(refused(&line));
        }
    }
}

/// RFC 2595 §4.
pub(super) async fn pop3<S>(wire: &mut Wire<'_, S>) -> Result<(), Refusal>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    good(&wire.until(b'\n').await?)?;
    wire.send(b"STLS\r\n").await?;
    good(&wire.until(b'\n').await?)
}

fn good(line: &str) -> Result<(), Refusal> {
    match line.as_bytes() {
        [b'+', b'O', b'K', ..] => Ok(()),
        [b'-', b'E', b'R', b'R', ..] => Err(refused(line)),
        _ => Err(Refusal::Foreign),
    }
}

/// RFC 6120 §5. The name has been checked: it holds nothing that means something in XML.
pub(super) async fn xmpp<S>(wire: &mut Wire<'_, S>, name: &str) -> Result<(), Refusal>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let header = format!(
        "<?xml version='1.0'?><stream:stream to='{name}' version='1.0' xmlns='jabber:client' \
         xmlns:stream='http://etherx.jabber.org/streams'>"
    );
    wire.send(header.as_bytes()).await?;
    element(wire, &["<starttls"], &["</stream:features", "<stream:error"]).await?;
    wire.send(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>").await?;
    element(wire, &["<proceed"], &["<failure", "</stream:stream", "<stream:error"]).await
}

/// Reads tags until one of those that are waited for, or one after which none of them comes.
async fn element<S>(wire: &mut Wire<'_, S>, wanted: &[&str], last: &[&str]) -> Result<(), Refusal>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    loop {
        let tag = wire.until(b'>').await?;
        let tag = tag.trim_start();
        if !tag.contains('<') {
            return Err(Refusal::Foreign);
        }
        if wanted.iter().any(|one| tag.starts_with(one)) {
            return Ok(());
        }
        if last.iter().any(|one| tag.starts_with(one)) {
            return Err(refused(&format!("{tag}>")));
        }
    }
}
