//! What is spoken before TLS, where a connection begins without it.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

mod binary;
mod text;

/// More than any greeting; an answer that goes on after it is not one.
const LONGEST: usize = 16 << 10;

/// A protocol that begins in the clear and goes on in TLS when it is asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Imap,
    Ldap,
    Mysql,
    Pop3,
    Postgres,
    Smtp,
    Xmpp,
}

impl Protocol {
    /// Every one, sorted by its scheme.
    pub(super) const ALL: [Self; 7] =
        [Self::Imap, Self::Ldap, Self::Mysql, Self::Pop3, Self::Postgres, Self::Smtp, Self::Xmpp];

    /// Returns how it is written before `://`.
    pub(super) const fn scheme(self) -> &'static str {
        match self {
            Self::Imap => "imap",
            Self::Ldap => "ldap",
            Self::Mysql => "mysql",
            Self::Pop3 => "pop3",
            Self::Postgres => "postgres",
            Self::Smtp => "smtp",
            Self::Xmpp => "xmpp",
        }
    }

    /// Returns the port where none is written.
    pub(super) const fn port(self) -> u16 {
        match self {
            Self::Imap => 143,
            Self::Ldap => 389,
            Self::Mysql => 3306,
            Self::Pop3 => 110,
            Self::Postgres => 5432,
            Self::Smtp => 25,
            Self::Xmpp => 5222,
        }
    }

    /// Returns the protocol with that scheme.
    pub(super) fn of(scheme: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.scheme() == scheme)
    }

    /// Asks for TLS on a connection to the server of `name`. What follows is TLS.
    pub(super) async fn begin<S>(self, stream: &mut S, name: &str) -> Result<(), Refusal>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let mut wire = Wire { stream, left: LONGEST };
        match self {
            Self::Imap => text::imap(&mut wire).await,
            Self::Pop3 => text::pop3(&mut wire).await,
            Self::Smtp => text::smtp(&mut wire).await,
            Self::Xmpp => text::xmpp(&mut wire, name).await,
            Self::Ldap => binary::ldap(&mut wire).await,
            Self::Mysql => binary::mysql(&mut wire).await,
            Self::Postgres => binary::postgres(&mut wire).await,
        }
    }
}

/// Why TLS did not begin.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// The connection broke.
    #[error("{0}")]
    Broken(#[from] io::Error),
    /// The server speaks the protocol, and no TLS in it.
    #[error("the server answers `{0}`")]
    Refused(String),
    /// What answers speaks something else.
    #[error("what answers does not speak the protocol")]
    Foreign,
}

/// A connection that is read no further than what is asked for: the bytes after it are TLS.
struct Wire<'a, S> {
    stream: &'a mut S,
    /// What may still be read.
    left: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Wire<'_, S> {
    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    async fn exactly(&mut self, count: usize) -> Result<Vec<u8>, Refusal> {
        self.left = self.left.checked_sub(count).ok_or(Refusal::Foreign)?;
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).await?;
        Ok(bytes)
    }

    /// Reads up to the byte that ends it, and leaves that out.
    async fn until(&mut self, end: u8) -> Result<String, Refusal> {
        let mut bytes = Vec::new();
        loop {
            match self.exactly(1).await?.as_slice() {
                [byte] if *byte == end => break,
                more => bytes.extend_from_slice(more),
            }
        }
        Ok(String::from_utf8_lossy(&bytes).trim_end_matches('\r').to_owned())
    }
}

#[cfg(test)]
mod tests;
