//! One look at every place, as a page.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::Path;

use secrecy::ExposeSecret;
use xxhash_rust::xxh3::Xxh3;

use super::bundle;
use super::disk::{Disk, is_absent};
use super::keystore::Password;
use super::look::{Survey, place};
use super::{MATCHED, Options, hint};
use crate::config::Secret;
use crate::expiry::{Kind, Look, PlaceState, Reason, Rejected, Sighting, Status};
use crate::source::{Checkpoint, Page, Places};
use crate::x509::Facts;

/// What is said of a place that is named and not there.
const NOT_THERE: &str = "not there";

/// Reads every certificate in every file that the patterns lead to. `matched` are the globs that ever matched.
pub(super) fn read(options: &Options, disk: &dyn Disk, matched: &BTreeSet<String>) -> Page {
    let survey = Survey::of(options, disk);
    let secret = options.password.as_ref().map(Secret::read);
    let password = secret.as_ref().map(|read| read.as_ref().map(ExposeSecret::expose_secret));
    let mut pile = Pile::default();
    for (path, named) in &survey.files {
        match disk.read(path) {
            Ok(bytes) => pile.add_file(path, &bytes, password),
            Err(error) if is_absent(&error) && *named => pile.add_missing(path),
            // Gone since it was found.
            Err(error) if is_absent(&error) => {}
            Err(error) => pile.add_closed(path, &error, false),
        }
    }
    for path in &survey.missing {
        pile.add_missing(path);
    }
    for (path, closed) in &survey.closed {
        pile.add_closed(path, &closed.error, closed.covers_below);
    }
    let unproven = unproven(&pile.looks, &survey.empty, matched);
    let mut page = pile.into_page();
    page.checkpoints = checkpoints(options, &survey, matched);
    if let Some(places) = &mut page.places {
        places.globs_without_match = survey.empty;
        places.unproven = unproven;
    }
    page
}

/// Returns what is named and not there, matches nothing, or cannot be looked at.
pub(super) fn warnings(options: &Options, disk: &dyn Disk) -> Vec<String> {
    let survey = Survey::of(options, disk);
    let missing = survey.missing.iter().map(|path| format!("{}: {NOT_THERE}", place(path)));
    let closed = survey.closed.iter();
    let closed =
        closed.map(|(path, closed)| format!("{}: {}", place(path), hint::why(path, &closed.error)));
    let empty = survey.empty.iter().map(|glob| format!("`{glob}` matches nothing"));
    missing.chain(closed).chain(empty).collect()
}

/// Returns why nothing can be told about absence: nothing was read at all, or what a glob matched before is out of sight.
fn unproven(
    looks: &BTreeMap<String, Look>,
    empty: &[String],
    matched: &BTreeSet<String>,
) -> Option<String> {
    if let Some(glob) = empty.iter().find(|glob| matched.contains(*glob)) {
        return Some(format!(
            "`{glob}` matched before and matches nothing now; if that is meant, take it out of `paths`"
        ));
    }
    let was_read = |look: &Look| matches!(look.state, PlaceState::Read | PlaceState::Broken);
    let first = looks.values().next()?;
    let nothing = !looks.values().any(was_read);
    nothing.then(|| format!("nothing could be read: {}: {}", first.place, first.why))
}

/// Remembers the globs that matched, and forgets those that are not configured any more.
fn checkpoints(options: &Options, survey: &Survey, matched: &BTreeSet<String>) -> Vec<Checkpoint> {
    let key = |glob: &String| format!("{MATCHED}{glob}");
    let fresh =
        survey.matched.difference(matched).map(|glob| (key(glob), Some("matched".to_owned())));
    let is_configured = |glob: &String| options.patterns.iter().any(|one| one.text == *glob);
    let stale = matched.iter().filter(|glob| !is_configured(glob)).map(|glob| (key(glob), None));
    fresh.chain(stale).collect()
}

/// What was found so far.
#[derive(Default)]
struct Pile {
    certificates: Vec<(String, Facts)>,
    rejected: Vec<Rejected>,
    looks: BTreeMap<String, Look>,
}

impl Pile {
    fn add_file(&mut self, path: &Path, bytes: &[u8], password: Password<'_>) {
        let place = place(path);
        let mut why = None;
        for (position, entry) in bundle::entries(bytes, password).into_iter().enumerate() {
            match entry {
                Ok(facts) => self.add(&place, facts),
                Err(error) => {
                    let entry = format!("#{}", position + 1);
                    let what = format!("{place} {entry}");
                    self.rejected.push(Rejected { reason: Reason::BadCertificate, what });
                    why.get_or_insert(format!("{entry} {error}"));
                }
            }
        }
        let state = if why.is_some() { PlaceState::Broken } else { PlaceState::Read };
        self.look(place, state, false, why.unwrap_or_default());
    }

    /// Adds a certificate, unless it stands in the same file already.
    fn add(&mut self, place: &str, facts: Facts) {
        let earlier = self.certificates.iter().rev().take_while(|(other, _)| other == place);
        if !earlier.map(|(_, known)| known).any(|known| *known == facts) {
            self.certificates.push((place.to_owned(), facts));
        }
    }

    fn add_missing(&mut self, path: &Path) {
        let place = place(path);
        self.rejected.push(Rejected { reason: Reason::Missing, what: place.clone() });
        self.look(place, PlaceState::Missing, false, NOT_THERE.to_owned());
    }

    fn add_closed(&mut self, path: &Path, error: &io::Error, covers_below: bool) {
        let place = place(path);
        self.rejected.push(Rejected { reason: Reason::Unreadable, what: place.clone() });
        self.look(place, PlaceState::Unreadable, covers_below, hint::why(path, error));
    }

    fn look(&mut self, place: String, state: PlaceState, covers_below: bool, why: String) {
        let look = Look { place: place.clone(), state, covers_below, why, verdict: None };
        self.looks.insert(place, look);
    }

    fn into_page(self) -> Page {
        let listed = self.certificates.iter().map(|(place, facts)| {
            let (issuer, serial) = (facts.issuer.as_bytes(), facts.serial.as_bytes());
            digest(&[place.as_bytes(), issuer, serial, &facts.fingerprint])
        });
        let refused = self.rejected.iter().map(|rejected| digest(&[rejected.what.as_bytes()]));
        let rows: Vec<u64> = listed.chain(refused).collect();
        let mut named = HashMap::<_, u32>::new();
        for (place, facts) in &self.certificates {
            *named.entry(name(place, facts)).or_default() += 1;
        }
        let sightings = self.certificates.into_iter().map(|(place, facts)| {
            let collides = named.get(&name(&place, &facts)).is_some_and(|count| *count > 1);
            sighting(place, facts, collides)
        });
        Page {
            total: u64::try_from(rows.len()).unwrap_or(u64::MAX),
            rows,
            sightings: sightings.collect(),
            rejected: self.rejected,
            places: Some(Places {
                looked: self.looks.into_values().collect(),
                ..Places::default()
            }),
            ..Page::default()
        }
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

/// Returns what is known of a certificate in a file. Where it has no alternative names, and for an authority, its subject
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
        // A file says nothing about use or revocation.
        status: Status::Active,
        not_before: Some(facts.not_before),
        not_after: Some(facts.not_after),
        end_unlisted: false,
        common_name: facts.common_name,
        unit: facts.unit,
        successors: Vec::new(),
    }
}
