//! Endpoints as they are written: `host`, `host:port`, `host:port/servername`, `scheme://host`.

use std::net::IpAddr;

use rustls_pki_types::ServerName;
use url::Host;

use super::starttls::Protocol;
use crate::client::egress_filter::is_forbidden;

/// HTTPS, where nothing is written.
const PORT: u16 = 443;

/// Where TLS is spoken, and the name that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// What is spoken before TLS; `None`: TLS from the beginning.
    pub(super) protocol: Option<Protocol>,
    /// Where to connect to.
    pub(super) host: Host,
    /// The port.
    pub(super) port: u16,
    /// The name that the certificate is to be for.
    pub(super) name: ServerName<'static>,
}

impl Endpoint {
    /// Reads an endpoint; the error says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (protocol, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (Some(scheme_of(scheme)?), rest),
            None => (None, text),
        };
        let (address, name) = match rest.split_once('/') {
            Some((address, name)) => (address, Some(name)),
            None => (rest, None),
        };
        let (host, port) = split_port(address)?;
        let host = host_of(host)?;
        let name = name.map_or_else(|| server_name(&host), |name| server_name(&host_of(name)?))?;
        let port = port.unwrap_or_else(|| protocol.map_or(PORT, Protocol::port));
        refuse(&host)?;
        Ok(Self { protocol, host, port, name })
    }

    /// Returns the place of its certificates.
    pub(super) fn place(&self) -> String {
        format!("{}:{}/{}", self.host, self.port, self.name.to_str())
    }
}

fn scheme_of(scheme: &str) -> Result<Protocol, String> {
    Protocol::of(scheme).ok_or_else(|| {
        let known: Vec<_> = Protocol::ALL.into_iter().map(Protocol::scheme).collect();
        format!(
            "unknown scheme `{scheme}://`; known: {}; TLS from the beginning has no scheme: `host:port`",
            known.join(", ")
        )
    })
}

fn split_port(address: &str) -> Result<(&str, Option<u16>), String> {
    let end = address.rfind(']').map_or(0, |at| at + 1);
    let (host, port) = match address.get(end..).and_then(|rest| rest.find(':')) {
        Some(at) => (address.get(..end + at), address.get(end + at + 1..)),
        None => (Some(address), None),
    };
    let port = port.map(|port| match port.parse() {
        Ok(port) if port > 0 => Ok(port),
        _ if port.contains(':') => {
            Err("an IPv6 address stands in brackets: `[2001:db8::1]:443`".to_owned())
        }
        _ => Err(format!("`{port}` is not a port")),
    });
    Ok((host.unwrap_or_default(), port.transpose()?))
}

fn host_of(text: &str) -> Result<Host, String> {
    if text.contains('*') {
        return Err("a wildcard names no host: write the names that are served".to_owned());
    }
    let bare: Result<IpAddr, _> = text.parse();
    match (bare, Host::parse(text)) {
        (Ok(IpAddr::V6(address)), _) => Ok(Host::Ipv6(address)),
        (_, Ok(Host::Domain(name))) => {
            let host = Host::Domain(name.strip_suffix('.').unwrap_or(&name).to_owned());
            server_name(&host).map(|_| host)
        }
        (_, Ok(address)) => Ok(address),
        (_, Err(_)) => Err(format!("`{text}` is not a host name or an address")),
    }
}

fn server_name(host: &Host) -> Result<ServerName<'static>, String> {
    match host {
        Host::Ipv4(address) => Ok(IpAddr::V4(*address).into()),
        Host::Ipv6(address) => Ok(IpAddr::V6(*address).into()),
        Host::Domain(name) => ServerName::try_from(name.clone())
            .ok()
            .filter(|_| !name.ends_with('.'))
            .ok_or_else(|| format!("`{name}` is not a host name or an address")),
    }
}

fn refuse(host: &Host) -> Result<(), String> {
    let address = match host {
        Host::Ipv4(address) => IpAddr::V4(*address),
        Host::Ipv6(address) => IpAddr::V6(*address),
        Host::Domain(_) => return Ok(()),
    };
    if is_forbidden(address) {
        return Err(format!("{address} is a link-local or metadata address, which is refused"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<(String, Option<&'static str>), String> {
        let endpoint = Endpoint::parse(text)?;
        Ok((endpoint.place(), endpoint.protocol.map(Protocol::scheme)))
    }

    #[test]
    fn endpoints_and_their_places() {
        for (text, place, scheme) in [
            ("example.com", "example.com:443/example.com", None),
            ("Example.COM.", "example.com:443/example.com", None),
            ("example.com:8443", "example.com:8443/example.com", None),
            ("10.0.0.7:443/www.example.com", "10.0.0.7:443/www.example.com", None),
            ("lb/www.example.com", "lb:443/www.example.com", None),
            ("10.0.0.7", "10.0.0.7:443/10.0.0.7", None),
            ("[2001:DB8::1]:8443", "[2001:db8::1]:8443/2001:db8::1", None),
            ("[2001:db8::1]/a.example", "[2001:db8::1]:443/a.example", None),
            ("lb:443/2001:db8::1", "lb:443/2001:db8::1", None),
            ("bücher.example", "xn--bcher-kva.example:443/xn--bcher-kva.example", None),
            ("_sip.example.com:5061", "_sip.example.com:5061/_sip.example.com", None),
            ("smtp://mx.example.com", "mx.example.com:25/mx.example.com", Some("smtp")),
            ("smtp://mx.example.com:587", "mx.example.com:587/mx.example.com", Some("smtp")),
            ("imap://m.example", "m.example:143/m.example", Some("imap")),
            ("pop3://m.example", "m.example:110/m.example", Some("pop3")),
            ("ldap://d.example", "d.example:389/d.example", Some("ldap")),
            ("postgres://db.example", "db.example:5432/db.example", Some("postgres")),
            ("mysql://db.example", "db.example:3306/db.example", Some("mysql")),
            ("xmpp://x.example:5222/example.com", "x.example:5222/example.com", Some("xmpp")),
        ] {
            assert_eq!(read(text), Ok((place.to_owned(), scheme)), "{text}");
        }
    }

    #[test]
    fn what_is_no_endpoint() {
        for (text, why) in [
            ("", "`` is not a host name or an address"),
            (":443", "`` is not a host name or an address"),
            ("a b", "`a b` is not a host name or an address"),
            ("user@host", "`user@host` is not a host name or an address"),
            ("example.com/", "`` is not a host name or an address"),
            ("example.com/a/b", "`a/b` is not a host name or an address"),
            (".", "`` is not a host name or an address"),
            ("a..", "`a.` is not a host name or an address"),
            ("a..b", "`a..b` is not a host name or an address"),
            ("example.com:0", "`0` is not a port"),
            ("example.com:https", "`https` is not a port"),
            ("example.com:99999", "`99999` is not a port"),
            ("2001:db8::1", "an IPv6 address stands in brackets: `[2001:db8::1]:443`"),
            ("*.example.com", "a wildcard names no host: write the names that are served"),
            (
                "169.254.169.254:443/a.example",
                "169.254.169.254 is a link-local or metadata address, which is refused",
            ),
            ("[fe80::1]", "fe80::1 is a link-local or metadata address, which is refused"),
            (
                "https://example.com",
                "unknown scheme `https://`; known: imap, ldap, mysql, pop3, postgres, smtp, xmpp; \
                 TLS from the beginning has no scheme: `host:port`",
            ),
        ] {
            assert_eq!(read(text), Err(why.to_owned()), "{text}");
        }
    }

    proptest! {
        #![proptest_config(crate::property::config())]

        #[test]
        fn a_place_is_an_endpoint_that_leads_to_it(text in "([a-z]{1,5}://)?(\\[::1\\]|[a-z0-9.*é]{1,12})(:[0-9]{1,5})?(/[a-z.:]{0,8})?") {
            if let Ok(endpoint) = Endpoint::parse(&text) {
                let again = Endpoint::parse(&endpoint.place()).unwrap();
                prop_assert_eq!(again.place(), endpoint.place());
            }
        }

        #[test]
        fn whatever_is_written_is_read_or_refused(text in "\\PC{0,20}") {
            drop(Endpoint::parse(&text));
        }
    }
}
