//! The running daemon, asked over its control socket.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::Console;
use super::file::File;
use crate::config::Environment;

/// Longer answers are no answers to a command.
const LONGEST: usize = 64 * 1024 * 1024;

/// What a daemon says to a wish.
pub(super) enum Asked<T> {
    /// What it answers.
    Answered(T),
    /// It does not do it: the status, and why.
    Refused(u16, String),
}

/// A daemon that answers on its socket.
pub(super) struct Daemon {
    socket: PathBuf,
}

/// Reads the configuration and finds its daemon, if one runs. Sources and channels are not built: their secrets are for the
/// daemon, and not for who asks.
pub(super) async fn configured(
    (path, socket): (&Path, Option<&Path>),
    environment: &Environment,
    console: &mut Console<'_>,
) -> anyhow::Result<(File, Option<Daemon>)> {
    let file = File::read(path, environment, console)?;
    file.approve(console)?;
    let daemon = Daemon::find(socket, &file.config.server.sockets.candidates).await?;
    Ok((file, daemon))
}

impl Daemon {
    /// Finds the daemon at the socket that is named, else at the first of `candidates` on which one answers; `None` when
    /// none runs.
    pub(super) async fn find(
        named: Option<&Path>,
        candidates: &[PathBuf],
    ) -> anyhow::Result<Option<Self>> {
        if let Some(path) = named {
            UnixStream::connect(path).await.with_context(|| {
                format!("no daemon answers on {}, which `--socket` names", path.display())
            })?;
            return Ok(Some(Self { socket: path.to_owned() }));
        }
        for path in candidates {
            match UnixStream::connect(path).await {
                Ok(_) => return Ok(Some(Self { socket: path.clone() })),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => bail!(
                    "this user may not ask the daemon on {}: members of the socket's group may (`usermod -aG notafter USER`, \
                     then log in again), and root",
                    path.display()
                ),
                Err(_) => {}
            }
        }
        Ok(None)
    }

    /// Returns what it answers to a GET.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.ask(Method::GET, path, Bytes::new()).await
    }

    /// Returns what it answers to a GET; `None` where there is nothing.
    pub(super) async fn get_if_there<T: DeserializeOwned>(
        &self,
        path: &str,
    ) -> anyhow::Result<Option<T>> {
        let (status, body) = self.send(Method::GET, path, Bytes::new()).await?;
        if status == StatusCode::NOT_FOUND { Ok(None) } else { read(status, &body).map(Some) }
    }

    /// Returns what it answers to a POST without a body.
    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.ask(Method::POST, path, Bytes::new()).await
    }

    /// Returns what it answers to a POST of an object.
    pub(super) async fn post_object<T: DeserializeOwned>(
        &self,
        path: &str,
        object: &(impl Serialize + Sync),
    ) -> anyhow::Result<T> {
        self.ask(Method::POST, path, serde_json::to_vec(object)?.into()).await
    }

    /// Returns what it answers to a POST of an object, or why it does not do it.
    pub(super) async fn try_post<T: DeserializeOwned>(
        &self,
        path: &str,
        object: &(impl Serialize + Sync),
    ) -> anyhow::Result<Asked<T>> {
        let body = serde_json::to_vec(object)?.into();
        let (status, body) = self.send(Method::POST, path, body).await?;
        match read(status, &body) {
            Ok(answer) => Ok(Asked::Answered(answer)),
            Err(error) if status.is_success() => Err(error),
            Err(error) => Ok(Asked::Refused(status.as_u16(), error.to_string())),
        }
    }

    /// Returns what it answers to a DELETE.
    pub(super) async fn delete<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.ask(Method::DELETE, path, Bytes::new()).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> anyhow::Result<T> {
        let (status, body) = self.send(method, path, body).await?;
        read(status, &body)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        let request = Request::builder().method(method).uri(path).header("host", "localhost");
        let request = request.header("content-type", "application/json");
        let request = request.body(Full::new(body))?;
        self.answer(request).await.with_context(|| {
            format!("the daemon on {} broke off its answer", self.socket.display())
        })
    }

    async fn answer(&self, request: Request<Full<Bytes>>) -> anyhow::Result<(StatusCode, Bytes)> {
        let stream = UnixStream::connect(&self.socket).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let asked = async move {
            let response: Response<Incoming> = sender.send_request(request).await?;
            let status = response.status();
            let body = http_body_util::Limited::new(response.into_body(), LONGEST).collect().await;
            let body = body.map_err(|error| anyhow::anyhow!("{error}"))?;
            anyhow::Ok((status, body.to_bytes()))
        };
        let (ended, answered) = tokio::join!(connection, asked);
        let answered = answered?;
        ended?;
        Ok(answered)
    }
}

/// Returns what an answer says, unless it is that something is wrong.
fn read<T: DeserializeOwned>(status: StatusCode, body: &[u8]) -> anyhow::Result<T> {
    if !status.is_success() {
        bail!("{}", problem(body).unwrap_or_else(|| format!("the daemon answered {status}")));
    }
    serde_json::from_slice(body).context("the daemon is of another version; restart it")
}

/// Returns a text as it may stand in a path or a query.
pub(super) fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// Returns what a problem document says.
fn problem(body: &[u8]) -> Option<String> {
    let document: serde_json::Value = serde_json::from_slice(body).ok()?;
    Some(document.get("detail")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_answers_where_there_is_nothing_or_a_socket_of_a_killed_daemon() {
        let folder = tempfile::tempdir().unwrap();
        let [stale, absent, live] =
            ["stale", "absent", "live"].map(|name| folder.path().join(name));
        drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
        assert!(Daemon::find(None, &[stale.clone(), absent.clone()]).await.unwrap().is_none());
        let _listener = std::os::unix::net::UnixListener::bind(&live).unwrap();
        let found = Daemon::find(None, &[stale.clone(), live.clone()]).await.unwrap().unwrap();
        assert_eq!(found.socket, live);
        let error = Daemon::find(Some(&absent), &[live]).await.err().unwrap();
        assert!(error.to_string().contains("which `--socket` names"), "{error}");
    }

    #[test]
    fn names_are_escaped() {
        assert_eq!(escaped("a b/c?d=é&"), "a%20b%2Fc%3Fd%3D%C3%A9%26");
    }
}
