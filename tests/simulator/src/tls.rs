//! Servers that do not shake hands as they should. None of them knows TLS: what they send is written out here.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const ALERT: u8 = 0x15;
const HANDSHAKE: u8 = 0x16;
/// What a server of old ciphers, or of SM2 certificates alone, answers to anybody else.
const HANDSHAKE_FAILURE: u8 = 40;
const PROTOCOL_VERSION: u8 = 70;

/// What a server does with who connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Takes everything and says nothing.
    Silent,
    /// Begins to answer, and stops in the middle with the connection open.
    HalfOpen,
    /// Answers a byte at a time, and never comes to an end.
    Trickle,
    /// Has no cipher in common with today's clients: `handshake_failure`.
    NoCommonCipher,
    /// Speaks older versions only: `protocol_version`.
    Outdated,
    /// Speaks HTTP without TLS.
    Plain,
    /// Closes the connection once it was greeted.
    HangsUp,
    /// Sends a chain of certificates that never ends.
    Endless,
}

impl Manner {
    pub const ALL: [Self; 8] = [
        Self::Silent,
        Self::HalfOpen,
        Self::Trickle,
        Self::NoCommonCipher,
        Self::Outdated,
        Self::Plain,
        Self::HangsUp,
        Self::Endless,
    ];
}

/// A server of one manner, until it is dropped.
pub struct Uncivil {
    pub address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Uncivil {
    /// Listens on loopback.
    pub async fn start(manner: Manner) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                // Who hangs up first is right.
                connections.spawn(async move { drop(serve(stream, manner).await) });
            }
        });
        Ok(Self { address, _tasks: tasks })
    }
}

async fn serve(mut stream: TcpStream, manner: Manner) -> io::Result<()> {
    let mut greeting = [0; 4096];
    if stream.read(&mut greeting).await? == 0 {
        return Ok(());
    }
    match manner {
        Manner::HangsUp => Ok(()),
        Manner::Silent => wait(stream).await,
        Manner::HalfOpen => {
            stream.write_all(&record(HANDSHAKE, 122)).await?;
            stream.write_all(&[2, 0, 0, 118, 3, 3, 7, 7]).await?;
            wait(stream).await
        }
        Manner::Trickle => {
            stream.write_all(&record(HANDSHAKE, 16_384)).await?;
            loop {
                stream.write_all(&[2]).await?;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        Manner::NoCommonCipher => alert(stream, HANDSHAKE_FAILURE).await,
        Manner::Outdated => alert(stream, PROTOCOL_VERSION).await,
        Manner::Plain => stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await,
        Manner::Endless => {
            let piece = [&record(HANDSHAKE, 16_384)[..], &[11; 16_384]].concat();
            loop {
                stream.write_all(&piece).await?;
            }
        }
    }
}

/// Returns what stands before so many bytes of a kind.
fn record(kind: u8, length: u16) -> [u8; 5] {
    let [high, low] = length.to_be_bytes();
    [kind, 3, 3, high, low]
}

async fn alert(mut stream: TcpStream, reason: u8) -> io::Result<()> {
    stream.write_all(&[&record(ALERT, 2)[..], &[2, reason]].concat()).await?;
    wait(stream).await
}

/// Holds the connection until the other side ends it.
async fn wait(mut stream: TcpStream) -> io::Result<()> {
    stream.read_to_end(&mut Vec::new()).await.map(drop)
}
