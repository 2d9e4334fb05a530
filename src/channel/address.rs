//! Where a channel posts to: an address that is a secret, read again for each message and checked each time.

use std::net::IpAddr;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use url::{Host, Url};

use super::SendError;
use super::verdict::down;
use crate::client::egress_filter;
use crate::config::{Fields, Placed, is_loopback};

/// Reads the text of an address from its place.
pub(super) type Reading = Box<dyn Fn() -> Result<SecretString, String> + Send + Sync>;

/// The addresses that belong to one vendor's robots.
pub(super) struct Vendor {
    /// The exact host names, or what they end in where one begins with a dot.
    pub(super) hosts: &'static [&'static str],
    /// Whether path and query are those of a robot.
    pub(super) robot: fn(&Url) -> bool,
    /// What an address looks like, for mistakes.
    pub(super) form: &'static str,
    /// What a bare key is appended to, where people paste the key alone.
    pub(super) key_base: Option<&'static str>,
}

/// The address of one channel.
pub(super) struct Address {
    option: &'static str,
    read: Reading,
    vendor: Option<&'static Vendor>,
    destination: String,
}

impl Address {
    /// Reads and checks the address that the option `key` holds, or reports what is wrong with it.
    pub(super) fn of(
        key: &'static str,
        vendor: Option<&'static Vendor>,
        fields: &mut Fields<'_>,
    ) -> Option<Self> {
        let Placed { value, span } = fields.required_secret(key)?;
        match Self::new(key, Box::new(move || value.read()), vendor) {
            Ok(address) => Some(address),
            Err(why) => {
                fields.mistake(span, format!("`{key}`: {why}"));
                None
            }
        }
    }

    /// Reads and checks an address that is no secret by itself and may be written as it is.
    pub(super) fn of_open(
        key: &'static str,
        is_root: fn(&Url) -> bool,
        fields: &mut Fields<'_>,
    ) -> Option<Self> {
        let Placed { value, span } = fields.required_open(key)?;
        let read: Reading = Box::new(move || value.read());
        let checked = Self::new(key, read, None).and_then(|address| {
            let url = (address.read)().and_then(|text| check(text.expose_secret(), None))?;
            if is_root(&url) {
                Ok(address)
            } else {
                Err("it is not the root of a server".to_owned())
            }
        });
        checked.map_err(|why| fields.mistake(span, format!("`{key}`: {why}"))).ok()
    }

    /// Reads and checks the address; the error does not repeat it. `option` is what a person corrects if it is wrong.
    pub(super) fn new(
        option: &'static str,
        read: Reading,
        vendor: Option<&'static Vendor>,
    ) -> Result<Self, String> {
        let url = check(read()?.expose_secret(), vendor)?;
        Ok(Self { option, read, vendor, destination: destination(&url) })
    }

    /// Returns the address as it is now.
    pub(super) fn url(&self) -> Result<Url, SendError> {
        (self.read)()
            .and_then(|text| check(text.expose_secret(), self.vendor))
            .map_err(|why| down("address", format!("correct the {} option, {why}", self.option)))
    }

    /// Returns a digest that differs between destinations and gives nothing away.
    pub(super) fn destination(&self) -> String {
        self.destination.clone()
    }
}

/// Returns whether `segment` can be a robot's token: letters, digits, `-` and `_`.
pub(super) fn is_token(segment: &str) -> bool {
    !segment.is_empty()
        && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Returns whether the query carries a token under `key`.
pub(super) fn has_token(url: &Url, key: &str) -> bool {
    url.query_pairs().any(|(name, value)| name == key && is_token(&value))
}

/// Parses an address and holds it against the rules. The error never repeats any of it.
pub(super) fn check(text: &str, vendor: Option<&Vendor>) -> Result<Url, String> {
    let key_base = vendor.and_then(|vendor| vendor.key_base).filter(|_| is_token(text));
    let text = key_base.map_or_else(|| text.to_owned(), |base| format!("{base}{text}"));
    let mut url = Url::parse(&text).map_err(|_| "it is not a URL".to_owned())?;
    url.set_fragment(None);
    let host = url.host().ok_or("it has no host")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it must not carry user information before the host".to_owned());
    }
    if is_loopback(&url) && matches!(url.scheme(), "http" | "https") {
        return Ok(url);
    }
    if url.scheme() != "https" {
        return Err("it must begin with https, plain http is for a loopback host only".to_owned());
    }
    match vendor {
        Some(vendor) if belongs_to(&url, vendor) => Ok(url),
        Some(vendor) => Err(format!("it is not of the form {}", vendor.form)),
        None if is_forbidden(&host) => {
            Err("it leads to a link-local or metadata address, which is refused".to_owned())
        }
        None => Ok(url),
    }
}

fn belongs_to(url: &Url, vendor: &Vendor) -> bool {
    let is_named = |host: &str| {
        vendor.hosts.iter().any(|own| *own == host || (own.starts_with('.') && host.ends_with(own)))
    };
    let named = url.host_str().is_some_and(is_named);
    named && url.port().is_none() && (vendor.robot)(url)
}

/// Returns whether the host is a link-local or metadata address. What a name resolves to is checked when the connection
/// is made.
fn is_forbidden(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => name.trim_end_matches('.') == "metadata.google.internal",
        Host::Ipv4(address) => egress_filter::is_forbidden(IpAddr::V4(*address)),
        Host::Ipv6(address) => egress_filter::is_forbidden(IpAddr::V6(*address)),
    }
}

/// Returns the host and the first 8 hexadecimal digits of a digest of the whole address.
fn destination(url: &Url) -> String {
    let digest = hex::encode(Sha256::digest(url.as_str()));
    let tag: String = digest.chars().take(8).collect();
    format!("{}#{tag}", url.host_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const VENDOR: Vendor = Vendor {
        hosts: &["hooks.slack.com"],
        robot: |url| url.path().starts_with("/services/"),
        form: "https://hooks.slack.com/services/T/B/x",
        key_base: None,
    };

    fn refused(text: &str, vendor: Option<&Vendor>) -> String {
        let why = check(text, vendor).expect_err(text);
        assert!(!why.contains("evil") && !why.contains("s3cr3t"), "{why}");
        why
    }

    #[test]
    fn a_branded_channel_posts_to_its_vendor_only() {
        assert!(check("https://hooks.slack.com/services/T/B/s3cr3t", Some(&VENDOR)).is_ok());
        for text in [
            "https://hooks.slack.com.evil.test/services/T/B/s3cr3t",
            "https://evil.test/services/T/B/s3cr3t",
            "https://evil.test/https://hooks.slack.com/services/T/B/s3cr3t",
            "https://hooks.slack.com:8443/services/T/B/s3cr3t",
            "https://hooks.slack.com/workflows/T/B/s3cr3t",
            "https://hooks.slack.com/services/../triggers/s3cr3t",
            "https://hooks.slack.com./services/T/B/s3cr3t",
            "https://10.0.0.1/services/T/B/s3cr3t",
        ] {
            assert!(refused(text, Some(&VENDOR)).contains("not of the form"), "{text}");
        }
    }

    #[test]
    fn user_information_is_refused() {
        for text in [
            "https://hooks.slack.com@evil.test/services/T/B/x",
            "https://hooks.slack.com@evil.test/",
            "https://hooks.slack.com:443@evil.test/services/T/B/x",
            "https://s3cr3t:evil@hooks.slack.com/services/T/B/x",
            "http://s3cr3t@127.0.0.1/",
        ] {
            assert!(refused(text, Some(&VENDOR)).contains("user information"), "{text}");
        }
    }

    #[test]
    fn loopback_takes_any_path_and_plain_http() {
        for text in [
            "http://127.0.0.1:9/x",
            "http://localhost:9/",
            "https://127.0.0.1/",
            "http://[::1]:9/x",
            "http://2130706433/",
        ] {
            assert!(check(text, Some(&VENDOR)).is_ok(), "{text}");
            assert!(check(text, None).is_ok(), "{text}");
        }
    }

    #[test]
    fn plain_http_and_other_schemes_are_refused() {
        for text in [
            "http://hooks.slack.com/services/T/B/s3cr3t",
            "http://10.0.0.1/s3cr3t",
            "ftp://127.0.0.1/s3cr3t",
            "http://localhost.evil.test/",
        ] {
            assert!(refused(text, Some(&VENDOR)).contains("must begin with https"), "{text}");
            assert!(refused(text, None).contains("must begin with https"), "{text}");
        }
        assert_eq!(refused("s3cr3t", None), "it is not a URL");
        assert_eq!(refused("mailto:s3cr3t", None), "it has no host");
    }

    #[test]
    fn a_generic_address_is_not_a_metadata_service() {
        for text in [
            "https://169.254.169.254/latest",
            "https://2852039166/",
            "https://[::ffff:169.254.169.254]/",
            "https://100.100.100.200/",
            "https://[fd00:ec2::254]/",
            "https://168.63.129.16/",
            "https://metadata.google.internal/",
            "https://0.0.0.0/",
            "https://[::]/",
            "https://224.0.0.1/",
            "https://255.255.255.255/",
            "https://[fe80::1]/",
        ] {
            refused(text, None);
        }
        for text in
            ["https://example.com/hook", "https://10.1.2.3:8443/hook", "https://[2001:db8::1]/"]
        {
            assert!(check(text, None).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_bare_key_is_completed_where_a_vendor_takes_one() {
        let vendor = Vendor { key_base: Some("https://hooks.slack.com/services/"), ..VENDOR };
        let url = check("693a91f6-7aa6", Some(&vendor)).unwrap();
        assert_eq!(url.as_str(), "https://hooks.slack.com/services/693a91f6-7aa6");
        assert!(check("693a91f6-7aa6", Some(&VENDOR)).is_err());
    }

    #[test]
    fn a_destination_differs_between_addresses_and_shows_none() {
        let of = |text: &'static str| {
            Address::new("url", Box::new(move || Ok(SecretString::from(text))), None)
                .unwrap()
                .destination()
        };
        let (one, other) = (of("https://example.com/s3cr3t-1"), of("https://example.com/s3cr3t-2"));
        assert_ne!(one, other);
        assert_eq!(one, of("https://EXAMPLE.com/s3cr3t-1#fragment"));
        assert!(one.starts_with("example.com#") && !one.contains("s3cr3t"), "{one}");
    }

    #[test]
    fn an_address_is_read_again_for_each_message() {
        use std::sync::Mutex;
        let texts = Mutex::new(vec![
            "https://evil.test/",
            "https://example.com/2",
            "https://example.com/1",
        ]);
        let read: Reading = Box::new(move || {
            texts.lock().unwrap().pop().map(SecretString::from).ok_or_else(|| "gone".to_owned())
        });
        let address = Address::new("url", read, None).unwrap();
        assert_eq!(address.url().unwrap().path(), "/2");
        assert_eq!(address.url().unwrap().host_str(), Some("evil.test"), "it is no vendor's");
        assert!(
            matches!(address.url(), Err(SendError::ChannelDown { code, .. }) if code == "address")
        );
    }
}
