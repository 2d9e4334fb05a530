//! What a channel is built with: what every channel has, as its configuration says it.

use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::CertificateDer;

use crate::client::http::{Http, Way};
use crate::client::{Deps, authorities};
use crate::clock::Clock;
use crate::config::{ChannelConfig, Mistakes, Span};

/// What a channel is built with.
#[derive(Clone)]
pub struct Means {
    /// Carries its requests.
    pub http: Http,
    /// The clock that requests are signed with.
    pub clock: Arc<dyn Clock>,
    /// The time for one request, connection included.
    pub timeout: Duration,
    /// Authorities that are trusted beside those of the machine, for what is no HTTP.
    pub authorities: Vec<CertificateDer<'static>>,
    /// Where a proxy is named, for what cannot go through one.
    pub proxy: Option<Span>,
}

impl Means {
    /// Reads what `config` says of the way of its requests, or reports what is wrong with that.
    pub(super) fn of(config: &ChannelConfig, deps: &Deps, mistakes: &mut Mistakes) -> Self {
        let way = way(config, mistakes);
        let http = match (&way.proxy, way.authorities.as_slice()) {
            (None, []) => deps.http.clone(),
            _ => deps.http.by(&way).unwrap_or_else(|why| {
                mistakes.push(config.kind.span.clone(), why);
                deps.http.clone()
            }),
        };
        Self {
            http,
            clock: Arc::clone(&deps.clock),
            timeout: config.timeout,
            authorities: way.authorities,
            proxy: config.proxy.as_ref().map(|proxy| proxy.span.clone()),
        }
    }
}

fn way(config: &ChannelConfig, mistakes: &mut Mistakes) -> Way {
    let proxy = config.proxy.as_ref().map(|proxy| proxy.value.clone());
    let read = config.ca_file.as_ref().map(|file| {
        authorities::read(&file.value).unwrap_or_else(|why| {
            mistakes.push(file.span.clone(), format!("`ca_file` {why}"));
            Vec::new()
        })
    });
    Way { proxy, authorities: read.unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::super::robot::kit::{built, robot};
    use super::super::{Channel, SendError, sample};
    use super::*;
    use crate::client::fake::{self, Fake, Reply};

    fn channel(url: &str, options: &str) -> Arc<dyn Channel> {
        let options = format!("url = {{ env = \"ROBOT_URL\" }}\n{options}");
        let (channel, mistakes) = built("slack", url, &options);
        channel.unwrap_or_else(|| panic!("{mistakes:?}"))
    }

    async fn error(channel: &dyn Channel) -> SendError {
        channel.send(&sample::single()).await.unwrap_err()
    }

    #[tokio::test]
    async fn requests_go_through_the_proxy_of_the_channel() {
        let proxy = Fake::start(|_, _| Reply::new(200, "ok")).await;
        let nowhere = format!("http://127.0.0.1:1{}", robot("slack").path());
        let told = channel(&nowhere, &format!("proxy = \"http://{}\"", proxy.authority()));
        assert!(told.send(&sample::single()).await.is_ok());
        assert_eq!(proxy.seen()[0].headers["host"], "127.0.0.1:1");
        assert_eq!(error(&*channel(&nowhere, "")).await.outcome(), "retry");
        assert_eq!(proxy.seen().len(), 1);
    }

    #[tokio::test]
    async fn authorities_of_a_file_are_trusted_beside_the_others() {
        let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let url = format!("https://localhost:{}/x", fake::tls(&key));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, key.cert.pem()).unwrap();
        let stranger = error(&*channel(&url, "")).await;
        assert!(stranger.code().starts_with("TLS failed"), "{stranger}");
        // The handshake is through; the server closes the connection after it.
        let known = error(&*channel(&url, &format!("ca_file = \"{}\"", file.display()))).await;
        assert_eq!(known.outcome(), "ambiguous", "{known}");
    }

    #[test]
    fn a_file_without_an_authority_is_a_mistake() {
        for path in ["/does/not/exist", "/etc/hostname"] {
            let options = format!("url = {{ env = \"ROBOT_URL\" }}\nca_file = \"{path}\"");
            let (_, mistakes) = built("slack", "http://127.0.0.1:1/x", &options);
            assert_eq!(mistakes.len(), 1, "{mistakes:?}");
            assert!(mistakes[0].contains("`ca_file` /"), "{mistakes:?}");
        }
    }

    #[tokio::test]
    async fn a_service_has_as_long_as_the_channel_says() {
        let url = fake::silent().await;
        let told = channel(url.as_str(), "timeout = \"50ms\"");
        assert_eq!(error(&*told).await, SendError::Ambiguous { code: "no answer in time".into() });
    }
}
