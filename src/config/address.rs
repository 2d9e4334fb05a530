//! Addresses of other machines.

use url::{Host, Url};

/// Reads a URL that requests are sent to: `https`, or `http` to this machine. No user information.
///
/// The error never quotes the text, which may hold a password or a token.
pub(super) fn endpoint(text: &str) -> Result<Url, String> {
    let url = web(text)?;
    if url.scheme() == "http" && !is_loopback(&url) {
        return Err(
            "must begin with `https://`; plain http is accepted for this machine alone".to_owned()
        );
    }
    Ok(url)
}

/// Reads the base of links: `http` or `https`, without user information, query and fragment.
///
/// A slash at the end is cut off where there is a path; the root's own slash cannot be.
pub(super) fn base(text: &str) -> Result<Url, String> {
    let mut url = web(text)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must not hold `?` or `#`".to_owned());
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// Reads the URL of a proxy: `http` or `https` to a host, with a password only where it is a secret.
///
/// The error never quotes the text.
pub(super) fn proxy(text: &str, is_secret: bool) -> Result<(), &'static str> {
    let url = Url::parse(text.trim()).map_err(|_| "must be a URL such as `http://proxy:3128`")?;
    let has_user = !url.username().is_empty() || url.password().is_some();
    match (url.scheme(), has_user) {
        ("http" | "https", true) if !is_secret => {
            Err("holds a user: write it as a secret, such as `{ credential = \"proxy-url\" }`")
        }
        ("http" | "https", _) if !matches!(url.path(), "" | "/") => Err("must not hold a path"),
        ("http" | "https", _) => Ok(()),
        _ => Err("must begin with `http://` or `https://`"),
    }
}

fn web(text: &str) -> Result<Url, String> {
    let url = match Url::parse(text.trim()) {
        Ok(url) => url,
        Err(url::ParseError::RelativeUrlWithoutBase) => {
            return Err("must begin with `https://`".to_owned());
        }
        Err(error) => return Err(format!("is not a URL: {error}")),
    };
    if !matches!(url.scheme(), "http" | "https") {
        return Err("must begin with `https://`".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or a password".to_owned());
    }
    Ok(url)
}

/// Returns whether a URL leads to this machine, so that what is sent there needs no TLS.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "must begin with `https://`; plain http is accepted for this machine alone";

    #[test]
    fn endpoints() {
        for (text, expected) in [
            ("https://mqtt.tencentcloudapi.com", Ok("https://mqtt.tencentcloudapi.com/")),
            ("http://127.0.0.1:80/x?key=1", Ok("http://127.0.0.1/x?key=1")),
            ("http://[::1]:8080", Ok("http://[::1]:8080/")),
            ("http://localhost:8080", Ok("http://localhost:8080/")),
            ("http://example.com", Err(PLAIN)),
            ("http://localhost.example.com", Err(PLAIN)),
            ("http://127.0.0.1.example.com", Err(PLAIN)),
            ("http://localhost@example.com", Err("must not hold a user name or a password")),
            ("mqtt.tencentcloudapi.com", Err("must begin with `https://`")),
            ("ftp://example.com", Err("must begin with `https://`")),
            ("https://", Err("is not a URL: empty host")),
        ] {
            let actual = endpoint(text);
            assert_eq!(
                actual.as_ref().map(Url::as_str).map_err(String::as_str),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn bases_of_links() {
        for (text, expected) in [
            ("https://certs.example.com/", Ok("https://certs.example.com/")),
            ("http://certs.example.com/notafter/", Ok("http://certs.example.com/notafter")),
            ("https://certs.example.com/?a=b", Err("must not hold `?` or `#`")),
            ("https://user:s3cr3t@example.com/", Err("must not hold a user name or a password")),
        ] {
            let actual = base(text);
            assert_eq!(
                actual.as_ref().map(Url::as_str).map_err(String::as_str),
                expected,
                "{text}"
            );
        }
    }
}
