//! Ways to addresses, for the time of one poll: names are looked up and connections made, a few at a time, each step
//! within its time.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use url::Host;

use super::endpoint::Endpoint;
use super::handshake::{Handshake, Served};
use crate::client::egress_filter::EgressFilter;

/// Connections at a time.
const CONNECTIONS: usize = 256;
/// Connections at a time to one address.
const TO_ONE_ADDRESS: usize = 8;
/// Names that are looked up at a time: each holds a thread for as long as the system's resolver takes.
const LOOKUPS: usize = 32;
/// How often in a row, as often as everything that is under way at a time, something is silent before it counts as that for
/// the rest of the poll: a few names of one address, or one zone of the domain name system, silence nobody else.
const PATIENCE: usize = 3;
/// Addresses of one name that are looked at; more are those of a network of servers that are all alike.
pub(super) const ADDRESSES: usize = 16;

/// Why an address could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) text: String,
    /// Whether this machine has no way to addresses of that kind, so that it says nothing about the endpoint.
    pub(super) no_route: bool,
}

impl Failure {
    fn new(text: String) -> Self {
        Self { text, no_route: false }
    }
}

/// Everything that connections are made with.
pub(super) struct Reach<'a> {
    filter: &'a EgressFilter,
    handshake: &'a Handshake,
    limit: Duration,
    lookups: Semaphore,
    connections: Semaphore,
    rooms: Mutex<HashMap<IpAddr, Arc<Semaphore>>>,
    silent: Mutex<HashMap<Target, usize>>,
}

/// What may be silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Target {
    Resolver,
    Address(SocketAddr),
}

impl Target {
    const fn patience(self) -> usize {
        match self {
            Self::Resolver => PATIENCE * LOOKUPS,
            Self::Address(_) => PATIENCE * TO_ONE_ADDRESS,
        }
    }
}

impl<'a> Reach<'a> {
    pub(super) fn new(filter: &'a EgressFilter, handshake: &'a Handshake, limit: Duration) -> Self {
        Self {
            filter,
            handshake,
            limit,
            lookups: Semaphore::new(LOOKUPS),
            connections: Semaphore::new(CONNECTIONS),
            rooms: Mutex::default(),
            silent: Mutex::default(),
        }
    }

    /// Returns the addresses of an endpoint, in order.
    pub(super) async fn addresses(&self, endpoint: &Endpoint) -> Result<Vec<SocketAddr>, Failure> {
        let port = endpoint.port;
        let name = match &endpoint.host {
            Host::Ipv4(address) => return Ok(vec![(*address, port).into()]),
            Host::Ipv6(address) => return Ok(vec![(*address, port).into()]),
            Host::Domain(name) => name,
        };
        let _room = self.lookups.acquire().await;
        let step = async {
            let found = self.filter.addresses(name).await;
            found.map_err(|error| Failure::new(format!("looking the name up: {error}")))
        };
        let found = self.within(Target::Resolver, "looking the name up", step).await?;
        self.silence(Target::Resolver, |_| 0);
        let mut addresses: Vec<SocketAddr> =
            found.into_iter().map(|one| (one.ip(), port).into()).collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses.truncate(ADDRESSES);
        Ok(addresses)
    }

    /// Reads what is served at one address of an endpoint.
    pub(super) async fn read(
        &self,
        endpoint: &Endpoint,
        address: SocketAddr,
    ) -> Result<Served, Failure> {
        let room = self.room(address.ip());
        let (_one, _all) = (room.acquire().await, self.connections.acquire().await);
        let (target, ip) = (Target::Address(address), address.ip());
        let connecting = format!("connecting to {ip}");
        let step =
            async { TcpStream::connect(address).await.map_err(|error| unreached(ip, &error)) };
        let mut stream = self.within(target, &connecting, step).await?;
        if let Some(protocol) = endpoint.protocol {
            let asking = format!("asking {ip} for TLS over {}", protocol.scheme());
            let name = server_of(&endpoint.name);
            let step = async {
                let begun = protocol.begin(&mut stream, &name).await;
                begun.map_err(|refusal| Failure::new(format!("{asking}: {refusal}")))
            };
            self.within(target, &asking, step).await?;
        }
        let shaking = format!("TLS handshake with {ip}");
        let step = async {
            let served = self.handshake.read(stream, &endpoint.name).await;
            served.map_err(|why| Failure::new(format!("{shaking}: {why}")))
        };
        let served = self.within(target, &shaking, step).await?;
        self.silence(target, |_| 0);
        Ok(served)
    }

    /// Goes one step, unless it, or too many like it before, takes too long.
    async fn within<T>(
        &self,
        target: Target,
        what: &str,
        step: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let late = || Failure::new(format!("{what} takes longer than {:?}", self.limit));
        if self.silence(target, |count| count) >= target.patience() {
            return Err(late());
        }
        timeout(self.limit, step).await.unwrap_or_else(|_| {
            self.silence(target, |count| count + 1);
            Err(late())
        })
    }

    /// Changes how often in a row something was silent, and returns it. Once it is given up, nothing changes that.
    fn silence(&self, target: Target, change: impl FnOnce(usize) -> usize) -> usize {
        let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        let count = silent.entry(target).or_default();
        if *count < target.patience() {
            *count = change(*count);
        }
        *count
    }

    fn room(&self, address: IpAddr) -> Arc<Semaphore> {
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(rooms.entry(address).or_insert_with(|| Arc::new(Semaphore::new(TO_ONE_ADDRESS))))
    }
}

fn unreached(address: IpAddr, error: &io::Error) -> Failure {
    let no_route =
        matches!(error.kind(), io::ErrorKind::NetworkUnreachable | io::ErrorKind::AddrNotAvailable);
    Failure { text: format!("connecting to {address}: {error}"), no_route }
}

fn server_of(name: &ServerName<'_>) -> String {
    name.to_str().into_owned()
}
