//! A look at one endpoint: every address behind its name, taken together as one state of one place.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use futures_util::future::join_all;

use super::endpoint::Endpoint;
use super::handshake::Served;
use super::reach::{Failure, Reach};
use super::verdict::{Judge, Problem, verdict};
use crate::expiry::{Fingerprint, Kind, Look, PlaceState, Reason};
use crate::x509::{self, Facts};

/// Which addresses behind a name are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Addresses {
    /// Each of them.
    All,
    /// The first that answers.
    First,
}

/// What was found at an endpoint.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) state: PlaceState,
    /// Every certificate that any of its addresses serves, once.
    pub(super) certificates: Vec<Facts>,
    /// What could not be read or understood, and how.
    pub(super) failures: Vec<(Reason, String)>,
    /// What is wrong with what is served at any of its addresses.
    pub(super) problems: Vec<Problem>,
    /// How addresses differ, in words, if they do.
    pub(super) shares: Option<String>,
}

/// Looks at an endpoint.
pub(super) async fn look(
    endpoint: Endpoint,
    which: Addresses,
    reach: &Reach<'_>,
    judge: &Judge<'_>,
) -> Found {
    let addresses = match reach.addresses(&endpoint).await {
        Ok(addresses) => addresses,
        Err(failure) => return together(Vec::new(), vec![failure]),
    };
    let read = async |address: SocketAddr| {
        let served = reach.read(&endpoint, address).await?;
        Ok((address.ip(), Chain::of(&served, &endpoint, judge)))
    };
    let answers = match which {
        // On the heap: most of those that wait have not begun yet.
        Addresses::All => join_all(addresses.into_iter().map(|it| Box::pin(read(it)))).await,
        Addresses::First => {
            let mut answers = Vec::new();
            for address in addresses {
                let answer = Box::pin(read(address)).await;
                if answer.is_ok() {
                    answers = vec![answer];
                    break;
                }
                answers.push(answer);
            }
            answers
        }
    };
    let (served, failed): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    let served = served.into_iter().flatten().collect();
    together(served, failed.into_iter().filter_map(Result::err).collect())
}

/// What one address serves.
#[derive(Debug, PartialEq, Eq)]
struct Chain {
    certificates: Vec<Facts>,
    broken: Vec<String>,
    problems: Vec<Problem>,
}

impl Chain {
    fn of(served: &Served, endpoint: &Endpoint, judge: &Judge<'_>) -> Self {
        let mut broken = Vec::new();
        let mut facts = Vec::new();
        for (position, der) in served.chain.iter().enumerate() {
            match x509::facts(der) {
                Ok((one, _)) => {
                    let kind = if position == 0 { Kind::Server } else { Kind::Ca };
                    facts.push(Some(Facts { kind, ..one }));
                }
                Err(error) => {
                    broken.push(format!("#{} {error}", position + 1));
                    facts.push(None);
                }
            }
        }
        let problems = judge.problems(served, &facts, &endpoint.name);
        Self { certificates: facts.into_iter().flatten().collect(), broken, problems }
    }

    fn fingerprints(&self) -> Vec<Fingerprint> {
        self.certificates.iter().map(|one| one.fingerprint).collect()
    }
}

/// Makes one state of what the addresses behind a name answered.
fn together(served: Vec<(IpAddr, Chain)>, failed: Vec<Failure>) -> Found {
    let seen = served.len();
    let groups = grouped(served);
    let mut found = Found {
        state: PlaceState::Unreadable,
        certificates: Vec::new(),
        failures: missed(failed, seen == 0),
        problems: Vec::new(),
        shares: shares(&groups, seen),
    };
    for (_, chain) in groups {
        found.take(chain);
    }
    found.state = match found.failures.is_empty() {
        _ if seen == 0 => PlaceState::Unreadable,
        true => PlaceState::Read,
        false => PlaceState::Broken,
    };
    found
}

/// Returns what kept addresses from being read. One that this machine has no way to, as IPv6 where there is none, says
/// something only where no other was read.
fn missed(failed: Vec<Failure>, nothing_read: bool) -> Vec<(Reason, String)> {
    let has_way = failed.iter().any(|one| !one.no_route);
    let counts = |one: &Failure| !one.no_route || nothing_read && !has_way;
    failed.into_iter().filter(counts).map(|one| (Reason::Unreadable, one.text)).collect()
}

impl Found {
    /// Returns what came of it, for the place. How addresses differ is told with what else is to be told.
    pub(super) fn into_look(self, place: String) -> Look {
        let verdict = verdict(self.problems, self.shares.as_deref());
        let shares = self.shares.filter(|_| verdict.is_none());
        let why: Vec<String> = self.failures.into_iter().map(|(_, text)| text).collect();
        Look { verdict, shares, ..Look::of(place, self.state, why.join("; ")) }
    }

    fn take(&mut self, chain: Chain) {
        let broken = chain.broken.into_iter();
        self.failures.extend(broken.map(|text| (Reason::BadCertificate, text)));
        for one in chain.certificates {
            if !self.certificates.iter().any(|known| known.fingerprint == one.fingerprint) {
                self.certificates.push(one);
            }
        }
        for (fault, text) in chain.problems {
            // The words name no address: which of them answers may change from poll to poll.
            let text = text + if self.shares.is_some() { " (not at every address)" } else { "" };
            if !self.problems.contains(&(fault, text.clone())) {
                self.problems.push((fault, text));
            }
        }
    }
}

/// Returns the chains that are served, each with the addresses that serve it: those of most addresses first.
fn grouped(served: Vec<(IpAddr, Chain)>) -> Vec<(Vec<IpAddr>, Chain)> {
    let mut groups = BTreeMap::<Vec<Fingerprint>, (Vec<IpAddr>, Chain)>::new();
    for (address, chain) in served {
        let group = groups.entry(chain.fingerprints()).or_insert_with(|| (Vec::new(), chain));
        group.0.push(address);
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_by_key(|(addresses, _)| std::cmp::Reverse(addresses.len()));
    groups
}

/// Returns which part of the addresses serves which certificate, where they differ.
fn shares(groups: &[(Vec<IpAddr>, Chain)], seen: usize) -> Option<String> {
    let served = |(addresses, chain): &(Vec<IpAddr>, Chain)| {
        let serial = chain.certificates.first().map_or("?", |leaf| &leaf.serial);
        match addresses.as_slice() {
            [one] => format!("{one} serves {serial}"),
            more => format!("{} of {seen} addresses serve {serial}", more.len()),
        }
    };
    (groups.len() > 1).then(|| groups.iter().map(served).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests;
