//! One look at every place, as a page.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use secrecy::ExposeSecret;

use super::bundle;
use super::disk::{Disk, is_absent};
use super::keystore::Password;
use super::look::{Survey, place};
use super::{MATCHED, Options, hint};
use crate::config::Secret;
use crate::expiry::{Look, PlaceState, Reason, Rejected};
use crate::source::{Checkpoint, Page, placed};
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
        let look = Look { covers_below, ..Look::of(place.clone(), state, why) };
        self.looks.insert(place, look);
    }

    fn into_page(self) -> Page {
        let looks = self.looks.into_values().collect();
        placed::page(self.certificates, self.rejected, looks, &BTreeMap::new())
    }
}
