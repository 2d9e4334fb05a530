//! Certificates that were read in places, as a page: for every source that looks at places.

use std::collections::{BTreeMap, HashMap};

use xxhash_rust::xxh3::Xxh3;

use super::{Page, Places};
use crate::expiry::{Kind, Labels, Look, Rejected, Sighting, Status};
use crate::x509::Facts;

/// Returns the page that holds all of it: the certificates, each with its place, what came of every look, and the labels of
/// places.
pub(super) fn page(
    certificates: Vec<(String, Facts)>,
    rejected: Vec<Rejected>,
    looked: Vec<Look>,
    labels: &BTreeMap<String, Labels>,
) -> Page {
    let listed = certificates.iter().map(|(place, facts)| {
        let (issuer, serial) = (facts.issuer.as_bytes(), facts.serial.as_bytes());
        digest(&[place.as_bytes(), issuer, serial, &facts.fingerprint])
    });
    let refused = rejected.iter().map(|rejected| digest(&[rejected.what.as_bytes()]));
    let rows: Vec<u64> = listed.chain(refused).collect();
    let mut named = HashMap::<_, u32>::new();
    for (place, facts) in &certificates {
        *named.entry(name(place, facts)).or_default() += 1;
    }
    let sightings = certificates.into_iter().map(|(place, facts)| {
        let collides = named.get(&name(&place, &facts)).is_some_and(|count| *count > 1);
        let labels = labels.get(&place).cloned().unwrap_or_default();
        let labels = labels.into_iter().collect();
        Sighting { labels, ..sighting(place, facts, collides) }
    });
    Page {
        total: u64::try_from(rows.len()).unwrap_or(u64::MAX),
        rows,
        sightings: sightings.collect(),
        rejected,
        places: Some(Places { looked, ..Places::default() }),
        ..Page::default()
    }
}

/// Returns what names a certificate in its place, unless another has the same.
fn name(place: &str, facts: &Facts) -> [String; 3] {
    [place.to_owned(), facts.issuer.clone(), facts.serial.clone()]
}

fn digest(parts: &[&[u8]]) -> u64 {
    let mut hash = Xxh3::new();
    for part in parts {
        hash.update(part);
        hash.update(&[0xFF]);
    }
    hash.digest()
}

/// Returns what is known of a certificate in a place. Where it has no alternative names, and for an authority, its subject
/// is all that another would have to cover.
fn sighting(place: String, facts: Facts, collides: bool) -> Sighting {
    let first_name = facts.names.first().filter(|_| facts.kind != Kind::Ca);
    let holder = first_name.unwrap_or(&facts.common_name);
    let holder = if holder.is_empty() { &facts.subject } else { holder }.clone();
    let by_subject = facts.kind == Kind::Ca || facts.names.is_empty();
    let subject = Some(&facts.subject).filter(|subject| !subject.is_empty());
    let names = if by_subject { subject.cloned().into_iter().collect() } else { facts.names };
    let is_authority = facts.kind == Kind::Ca;
    Sighting {
        signer: format!("{}#{}", facts.issuer, facts.authority_key_id),
        signs: if is_authority {
            format!("{}#{}", facts.subject, facts.key_id)
        } else {
            String::new()
        },
        holder,
        names,
        place,
        fingerprint: Some(facts.fingerprint),
        collides,
        issuer: facts.issuer,
        serial: facts.serial,
        kind: facts.kind,
        // A place says nothing about use or revocation.
        status: Status::Active,
        not_before: Some(facts.not_before),
        not_after: Some(facts.not_after),
        end_unlisted: false,
        common_name: facts.common_name,
        unit: facts.unit,
        successors: Vec::new(),
        labels: Vec::new(),
    }
}
