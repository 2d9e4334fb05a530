//! Keeps messages, and looks at endpoints, from link-local and metadata addresses.
//!
//! Checked when a connection is made and not before: what a name stands for may have changed since. Private networks
//! are allowed, because the addresses are written by the operator, and receivers live there. A proxy resolves names by
//! itself: whoever configures one filters there.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Looks a name up.
type Lookup = dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync;

/// Resolves names, to addresses that may be receivers alone.
#[derive(Clone)]
pub struct EgressFilter(Arc<Lookup>);

/// Every address behind a name is forbidden.
#[derive(Debug)]
pub struct Forbidden;

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the name of the host leads to a link-local or metadata address, which is refused",
        )
    }
}

impl Error for Forbidden {}

/// Returns whether an address is a link-local or metadata address, or cannot be connected to at all.
pub fn is_forbidden(address: IpAddr) -> bool {
    // 169.254.169.254 is link-local; these are the metadata services that are not.
    const METADATA: [IpAddr; 3] = [
        IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
        IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
        IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x254)),
    ];
    let address = address.to_canonical();
    let useless = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast() || v4.octets()[0] == 0,
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    useless || address.is_unspecified() || address.is_multicast() || METADATA.contains(&address)
}

impl EgressFilter {
    /// Returns a filter that asks the system's resolver.
    pub fn of_the_system() -> Self {
        Self::asking(|name| {
            async move { tokio::net::lookup_host((name, 0)).await.map(Iterator::collect) }.boxed()
        })
    }

    /// Returns a filter that asks `lookup`.
    pub fn asking(
        lookup: impl Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self(Arc::new(lookup))
    }

    /// Returns the addresses behind a name that may be connected to.
    pub async fn addresses(
        &self,
        name: &str,
    ) -> Result<Vec<SocketAddr>, Box<dyn Error + Send + Sync>> {
        let mut found = (self.0)(name.to_owned()).await?;
        found.retain(|address| !is_forbidden(address.ip()));
        if found.is_empty() {
            return Err(Forbidden.into());
        }
        Ok(found)
    }
}

impl Resolve for EgressFilter {
    fn resolve(&self, name: Name) -> Resolving {
        let filter = self.clone();
        Box::pin(async move {
            let found: Addrs = Box::new(filter.addresses(name.as_str()).await?.into_iter());
            Ok(found)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_no_receiver_has() {
        for (address, expected) in [
            ("169.254.169.254", true),
            ("::ffff:169.254.169.254", true),
            ("100.100.100.200", true),
            ("168.63.129.16", true),
            ("fd00:ec2::254", true),
            ("fe80::1", true),
            ("0.0.0.0", true),
            ("0.1.2.3", true),
            ("::", true),
            ("255.255.255.255", true),
            ("224.0.0.1", true),
            ("ff02::1", true),
            ("127.0.0.1", false),
            ("::1", false),
            ("10.1.2.3", false),
            ("fd12::1", false),
            ("203.0.113.7", false),
        ] {
            assert_eq!(is_forbidden(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[tokio::test]
    async fn a_name_leads_to_what_is_allowed_of_its_addresses() {
        let filter = EgressFilter::asking(|name| {
            let found: Vec<SocketAddr> = name
                .split('-')
                .map(|address| (address.parse::<IpAddr>().unwrap(), 0).into())
                .collect();
            async move { Ok(found) }.boxed()
        });
        let resolved = async |name: &str| {
            let found = filter.resolve(name.parse().unwrap()).await;
            found.map(|found| found.map(|one| one.ip().to_string()).collect::<Vec<_>>())
        };
        assert_eq!(
            resolved("203.0.113.7-169.254.169.254-10.0.0.1").await.unwrap(),
            ["203.0.113.7", "10.0.0.1"]
        );
        let error = resolved("169.254.169.254-0.0.0.0").await.unwrap_err();
        assert!(error.is::<Forbidden>(), "{error}");
    }
}
