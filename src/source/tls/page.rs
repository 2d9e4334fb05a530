//! One look at every endpoint, as a page.

use std::collections::BTreeMap;

use futures_util::{FutureExt as _, StreamExt as _, stream};

use super::Tls;
use super::look::{Found, look};
use super::reach::Reach;
use super::verdict::Judge;
use super::wanted::Wanted;
use crate::expiry::{Look, PlaceState, Rejected};
use crate::source::{Page, SourceError, placed};
use crate::x509::Facts;

/// Endpoints that are under way at a time: more than connections, since many wait for their turn at one address.
const UNDER_WAY: usize = 512;

/// Reads what every endpoint serves.
pub(super) async fn read(tls: &Tls) -> Result<Page, SourceError> {
    let trusted = tls.options.authorities.load().await?;
    let mut wanted = Wanted::of(tls).await?;
    let now = tls.clock.now();
    let judge = Judge { trusted: &trusted, algorithms: tls.handshake.algorithms, now };
    let reach = Reach::new(&tls.filter, &tls.handshake, tls.options.timeout);
    let endpoints = std::mem::take(&mut wanted.endpoints).into_iter();
    let looking = endpoints.map(|(place, endpoint)| {
        let looking = look(endpoint, tls.options.addresses, &reach, &judge);
        looking.map(|found| (place, found))
    });
    let found: BTreeMap<String, Found> =
        stream::iter(looking).buffer_unordered(UNDER_WAY).collect().await;
    Ok(page(found, wanted))
}

fn page(found: BTreeMap<String, Found>, wanted: Wanted) -> Page {
    let mut rejected = wanted.rejected;
    let mut certificates: Vec<(String, Facts)> = Vec::new();
    let mut looked = Vec::with_capacity(found.len());
    for (place, mut found) in found {
        if let Some((reason, _)) = found.failures.first() {
            rejected.push(Rejected { reason: *reason, what: place.clone() });
        }
        let seen = std::mem::take(&mut found.certificates).into_iter();
        certificates.extend(seen.map(|one| (place.clone(), one)));
        looked.push(found.into_look(place));
    }
    let unproven = wanted.unproven.or_else(|| unread(&looked));
    let mut page = placed::page(certificates, rejected, looked, &wanted.labels);
    page.checkpoints = wanted.checkpoints;
    if let Some(places) = &mut page.places {
        places.unproven = unproven;
        places.globs_without_match = wanted.wildcards;
    }
    page
}

/// Returns why nothing can be told about absence: no endpoint could be read.
fn unread(looked: &[Look]) -> Option<String> {
    let first = looked.first()?;
    let none = looked.iter().all(|look| look.state == PlaceState::Unreadable);
    none.then(|| format!("no endpoint could be read: {}: {}", first.place, first.why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expiry::InvalidReason;

    #[test]
    fn how_good_addresses_differ_is_told_and_what_is_wrong_with_bad_ones_is_told_once() {
        let found = |problems| Found {
            state: PlaceState::Read,
            certificates: Vec::new(),
            failures: Vec::new(),
            problems,
            shares: Some("2 of 3 addresses serve 0a, 10.0.0.1 serves 0b".to_owned()),
        };
        let expired = (InvalidReason::Expired, "it has expired".to_owned());
        let seen = [("a:443/a", found(Vec::new())), ("b:443/b", found(vec![expired]))];
        let seen = seen.into_iter().map(|(place, found)| (place.to_owned(), found)).collect();
        let places = page(seen, Wanted::default()).places.unwrap();
        let shares = "2 of 3 addresses serve 0a, 10.0.0.1 serves 0b";
        assert_eq!(places.differing().collect::<Vec<_>>(), [format!("a:443/a: {shares}")]);
        let problems: Vec<String> = places.problems().collect();
        assert_eq!(problems, [format!("b:443/b: expired: it has expired; {shares}")]);
    }
}
