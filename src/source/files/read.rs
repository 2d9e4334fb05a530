//! Finds files and turns what is in them into one page. Blocks: it runs where blocking is allowed.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::Xxh3;
use zeroize::Zeroizing;

use super::bundle;
use crate::expiry::{Kind, Reason, Rejected, Sighting, Status};
use crate::source::Page;
use crate::x509::Facts;

/// The largest bundles of public authorities are a fiftieth of this.
const LARGEST: u64 = 16 << 20;

/// Reads every certificate in every file that `globs` lead to.
pub(super) fn all(globs: &[String]) -> Page {
    let mut pile = Pile::default();
    for file in find(globs, &mut pile) {
        match read(&file.real) {
            Ok(bytes) => pile.add_file(&file.named, &bytes),
            Err(error) => pile.reject_file(&file.named, &error),
        }
    }
    pile.into_page()
}

/// A file as it was found, for people, and as it is, so that links to it count once.
struct Found {
    named: PathBuf,
    real: PathBuf,
}

fn find(globs: &[String], pile: &mut Pile) -> Vec<Found> {
    let mut seen = HashSet::new();
    let mut files = Vec::new();
    for pattern in globs {
        // Checked when the configuration was read.
        let Ok(paths) = glob::glob(pattern) else { continue };
        let mut matched = false;
        for path in paths {
            matched = true;
            match path.map_err(|error| (error.path().to_owned(), error.into())) {
                Ok(named) => match named.canonicalize() {
                    Ok(real) if real.is_dir() || !seen.insert(real.clone()) => {}
                    Ok(real) => files.push(Found { named, real }),
                    Err(error) => pile.reject_file(&named, &error),
                },
                Err((path, error)) => pile.reject_file(&path, &error),
            }
        }
        if !matched {
            tracing::warn!(glob = %pattern, "no file matches");
        }
    }
    files
}

/// Reads a whole file. Opening a pipe would wait for its other end, so that only regular files are opened.
fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let metadata = path.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let too_large = || io::Error::other("larger than 16 MiB");
    if metadata.len() > LARGEST {
        return Err(too_large());
    }
    let expected = usize::try_from(metadata.len()).map_err(io::Error::other)?;
    // One byte more, so that the buffer does not move and leave a copy of a key behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(expected + 1));
    File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= LARGEST) {
        Ok(bytes)
    } else {
        Err(too_large())
    }
}

/// What was found so far.
#[derive(Default)]
struct Pile {
    certificates: Vec<(String, Facts)>,
    rejected: Vec<Rejected>,
}

impl Pile {
    fn add_file(&mut self, path: &Path, bytes: &[u8]) {
        let place = path.display().to_string();
        for (position, entry) in bundle::entries(bytes).into_iter().enumerate() {
            match entry {
                Ok(facts) => self.add(&place, facts),
                Err(error) => {
                    let what = format!("{place} #{}", position + 1);
                    tracing::debug!(entry = %what, %error, "cannot read a certificate");
                    self.rejected.push(Rejected { reason: Reason::BadCertificate, what });
                }
            }
        }
    }

    /// Adds a certificate, unless it stands in the same file already.
    fn add(&mut self, place: &str, facts: Facts) {
        let earlier = self.certificates.iter().rev().take_while(|(other, _)| other == place);
        if !earlier.map(|(_, known)| known).any(|known| *known == facts) {
            self.certificates.push((place.to_owned(), facts));
        }
    }

    fn reject_file(&mut self, path: &Path, error: &io::Error) {
        tracing::debug!(path = %path.display(), %error, "cannot read a file");
        let what = path.display().to_string();
        self.rejected.push(Rejected { reason: Reason::Unreadable, what });
    }

    fn into_page(self) -> Page {
        let listed = self.certificates.iter().map(|(place, facts)| {
            digest(&[
                place.as_bytes(),
                facts.issuer.as_bytes(),
                facts.serial.as_bytes(),
                &facts.fingerprint,
            ])
        });
        let refused = self.rejected.iter().map(|rejected| digest(&[rejected.what.as_bytes()]));
        let rows: Vec<u64> = listed.chain(refused).collect();
        let mut named = HashMap::<_, u32>::new();
        for (place, facts) in &self.certificates {
            *named
                .entry((place.clone(), facts.issuer.clone(), facts.serial.clone()))
                .or_default() += 1;
        }
        let sightings = self.certificates.into_iter().map(|(place, facts)| {
            let name = (place, facts.issuer.clone(), facts.serial.clone());
            let collides = named.get(&name).is_some_and(|count| *count > 1);
            sighting(name.0, facts, collides)
        });
        Page {
            total: u64::try_from(rows.len()).unwrap_or(u64::MAX),
            rows,
            sightings: sightings.collect(),
            rejected: self.rejected,
            ..Page::default()
        }
    }
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
        common_name: facts.common_name,
        unit: facts.unit,
        successors: Vec::new(),
    }
}
