//! Protocols of bytes.

use tokio::io::{AsyncRead, AsyncWrite};

use super::{Refusal, Wire};
use crate::x509::der;

/// The extended request of RFC 4511 §4.14.1, as message 1.
const LDAP_REQUEST: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";
const LDAP_EXTENDED_RESPONSE: u8 = 0x78;
const ENUMERATED: u8 = 0x0A;

/// Asks for TLS over LDAP.
pub(super) async fn ldap<S>(wire: &mut Wire<'_, S>) -> Result<(), Refusal>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    wire.send(LDAP_REQUEST).await?;
    let mut message = wire.exactly(2).await?;
    let length = match message.as_slice() {
        [der::SEQUENCE, short @ 0..=0x7F] => usize::from(*short),
        [der::SEQUENCE, long @ 0x81..=0x84] => {
            let stated = wire.exactly(usize::from(long & 0x7F)).await?;
            message.extend_from_slice(&stated);
            stated.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte))
        }
        _ => return Err(Refusal::Foreign),
    };
    message.extend(wire.exactly(length).await?);
    match result_code(&message).ok_or(Refusal::Foreign)? {
        [0] => Ok(()),
        code => Err(Refusal::Refused(format!("LDAP result {}", hex::encode(code)))),
    }
}

/// Returns the result of an extended response.
fn result_code(message: &[u8]) -> Option<&[u8]> {
    let content = der::content(message, der::SEQUENCE)?;
    let response = der::all(content).find(|one| one.tag == LDAP_EXTENDED_RESPONSE)?;
    der::content(response.content, ENUMERATED)
}

/// The request of <https://www.postgresql.org/docs/current/protocol-message-formats.html>, `SSLRequest`.
const POSTGRES_REQUEST: &[u8] = &[0, 0, 0, 8, 0x04, 0xD2, 0x16, 0x2F];

/// Asks for TLS over the protocol of `PostgreSQL`.
pub(super) async fn postgres<S>(wire: &mut Wire<'_, S>) -> Result<(), Refusal>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    wire.send(POSTGRES_REQUEST).await?;
    match wire.exactly(1).await?.as_slice() {
        b"S" => Ok(()),
        b"N" => Err(Refusal::Refused("N".to_owned())),
        _ => Err(Refusal::Foreign),
    }
}

const MYSQL_PROTOCOL: u8 = 10;
const MYSQL_ERROR: u8 = 0xFF;
/// Of the server's abilities: TLS.
const MYSQL_CLIENT_SSL: u8 = 0x08;
/// `CLIENT_PROTOCOL_41`, `CLIENT_SSL`, `CLIENT_SECURE_CONNECTION`; packets of 16 MiB; UTF-8; 23 zeros; as packet 1.
const MYSQL_REQUEST: [u8; 36] = {
    let mut packet = [0; 36];
    packet[0] = 32;
    packet[3] = 1;
    packet[5] = 0x8A;
    packet[11] = 1;
    packet[12] = 33;
    packet
};

/// Asks for TLS over the protocol of `MySQL` and `MariaDB`.
pub(super) async fn mysql<S>(wire: &mut Wire<'_, S>) -> Result<(), Refusal>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let header = wire.exactly(4).await?;
    let length = header.iter().take(3).rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    let greeting = wire.exactly(length).await?;
    match greeting.first() {
        Some(&MYSQL_PROTOCOL) => {}
        Some(&MYSQL_ERROR) => {
            let text = String::from_utf8_lossy(greeting.get(3..).unwrap_or_default());
            return Err(Refusal::Refused(crate::expiry::text::printable(&text)));
        }
        _ => return Err(Refusal::Foreign),
    }
    // The version as text, the connection's number, eight bytes of a challenge and a zero; then the abilities.
    let version = greeting.iter().position(|byte| *byte == 0).ok_or(Refusal::Foreign)?;
    let abilities = greeting.get(version + 1 + 4 + 8 + 1..).unwrap_or_default();
    match abilities {
        [_, high, ..] if high & MYSQL_CLIENT_SSL != 0 => Ok(wire.send(&MYSQL_REQUEST).await?),
        [_, _, ..] => Err(Refusal::Refused("no ability CLIENT_SSL".to_owned())),
        _ => Err(Refusal::Foreign),
    }
}
