//! The names that the HTTP server answers to.

use std::net::{Ipv4Addr, Ipv6Addr};

use url::Url;

use super::Fields;
use crate::expiry::glob;

/// The names under which the HTTP server may be asked.
///
/// A page of another site can point a name of its own at this machine, and its browser then takes what is answered for
/// that site's. It cannot make the browser ask for an address or for one of these names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts {
    /// Host names in small letters, with `*` and `?`.
    patterns: Vec<String>,
    /// Where people reach the page, as a browser names it in `Origin`.
    origin: Option<String>,
}

impl Hosts {
    /// Returns the names in `patterns` and that of `external_url`.
    pub fn new(mut patterns: Vec<String>, external_url: Option<&Url>) -> Self {
        patterns.extend(external_url.and_then(Url::host_str).map(str::to_owned));
        Self { patterns, origin: external_url.map(|url| url.origin().ascii_serialization()) }
    }

    /// Returns whether `name` is an address, a name of this machine for itself, or one of these names.
    pub fn answer_to(&self, name: &HostName) -> bool {
        let HostName::Domain(name) = name else { return true };
        name == "localhost"
            || name.ends_with(".localhost")
            || self.patterns.iter().any(|pattern| glob::matches(pattern, name))
    }

    /// Returns whether `origin` is that of `external_url`.
    pub fn is_external(&self, origin: &str) -> bool {
        self.origin.as_deref() == Some(origin)
    }
}

/// What a `Host` header names, without the port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostName {
    /// An IP address.
    Address,
    /// A name in small letters, without the dot at its end.
    Domain(String),
}

impl HostName {
    /// Reads a `Host` header. `None`: it names nothing.
    pub fn parse(host: &str) -> Option<Self> {
        if let Some(rest) = host.strip_prefix('[') {
            let (address, port) = rest.split_once(']')?;
            address.parse::<Ipv6Addr>().ok()?;
            let is_port = |port: &str| port.strip_prefix(':').is_some_and(is_number);
            return (port.is_empty() || is_port(port)).then_some(Self::Address);
        }
        let name = host
            .split_once(':')
            .map_or(Some(host), |(name, port)| Some(name).filter(|_| is_number(port)))?;
        if name.parse::<Ipv4Addr>().is_ok() {
            return Some(Self::Address);
        }
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        (!name.is_empty() && name.bytes().all(is_of_a_name)).then_some(Self::Domain(name))
    }
}

fn is_number(port: &str) -> bool {
    port.bytes().all(|byte| byte.is_ascii_digit())
}

const fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

/// Reads `hosts`.
pub(super) fn patterns(fields: &mut Fields<'_>) -> Vec<String> {
    let mut patterns = Vec::new();
    for host in fields.placed_strings("hosts").map(|hosts| hosts.value).unwrap_or_default() {
        let pattern = host.value.to_ascii_lowercase();
        if !pattern.bytes().all(|byte| is_of_a_name(byte) || matches!(byte, b'*' | b'?')) {
            fields.mistake(
                host.span,
                "not a host name, such as `notafter` or `*.svc`, without scheme and port",
            );
        } else if !pattern.bytes().any(|byte| byte.is_ascii_alphanumeric()) {
            fields.mistake(host.span, "lets in every name; write at least a part of yours");
        } else {
            patterns.push(pattern);
        }
    }
    patterns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, load};

    #[test]
    fn a_host_is_an_address_a_loopback_name_or_one_that_is_configured() {
        let url = Url::parse("https://Certs.example.com:8443/x").unwrap();
        let hosts = Hosts::new(vec!["notafter".to_owned(), "*.svc".to_owned()], Some(&url));
        for (host, expected) in [
            ("127.0.0.1", Some(true)),
            ("10.0.0.7:10793", Some(true)),
            ("[::1]", Some(true)),
            ("[2001:db8::1]:10793", Some(true)),
            ("localhost", Some(true)),
            ("LocalHost.:80", Some(true)),
            ("a.localhost", Some(true)),
            ("localhost:", Some(true)),
            ("notafter", Some(true)),
            ("NOTAFTER:10793", Some(true)),
            ("notafter.monitoring.svc:10793", Some(true)),
            ("certs.example.com", Some(true)),
            ("certs.example.com:8443", Some(true)),
            ("evil.example", Some(false)),
            ("notafter.evil.example", Some(false)),
            ("localhost.evil.example", Some(false)),
            ("127.0.0.1.evil.example", Some(false)),
            ("x.certs.example.com", Some(false)),
            // An address for some browsers, which send it as they would any name.
            ("2130706433", Some(false)),
            ("::1", None),
            ("[::1", None),
            ("[::1]x", None),
            ("[localhost]", None),
            ("localhost:port", None),
            ("a b", None),
            ("user@localhost", None),
            ("", None),
            (".", None),
        ] {
            let answers = HostName::parse(host).map(|name| hosts.answer_to(&name));
            assert_eq!(answers, expected, "{host:?}");
        }
        assert!(!Hosts::default().answer_to(&HostName::Domain("notafter".to_owned())));
    }

    #[test]
    fn the_page_people_reach_is_an_origin_of_its_own() {
        let url = Url::parse("https://certs.example.com/x").unwrap();
        let hosts = Hosts::new(Vec::new(), Some(&url));
        assert!(hosts.is_external("https://certs.example.com"));
        assert!(!hosts.is_external("http://certs.example.com"));
        assert!(!Hosts::default().is_external("null"));
    }

    #[test]
    fn a_pattern_names_something() {
        let text = "[server]\nhosts = ['Notafter', '*.svc', '*', '?.*', 'https://x', 'x:80', '']";
        let (config, mistakes) = load(text, &Environment::of([]), |_| None);
        let names = vec!["notafter".to_owned(), "*.svc".to_owned()];
        assert_eq!(config.unwrap().server.hosts, Hosts::new(names, None));
        let mistakes = mistakes.render("x.toml", text);
        let of_hosts: Vec<_> = mistakes.lines().filter(|line| line.contains(":2:")).collect();
        let name = "not a host name, such as `notafter` or `*.svc`, without scheme and port";
        let every = "lets in every name; write at least a part of yours";
        assert_eq!(
            of_hosts,
            [
                format!("x.toml:2:31: {every}"),
                format!("x.toml:2:36: {every}"),
                format!("x.toml:2:43: {name}"),
                format!("x.toml:2:56: {name}"),
                "x.toml:2:64: `hosts` holds an empty string".to_owned(),
            ]
        );
    }
}
