//! The sightings of a page, their texts in one piece.
//!
//! Most rows of a scan are known and say nothing new. Their digests tell so; nothing else of them is looked at, and
//! a page of them costs two allocations instead of hundreds.

use std::str::Utf8Error;

use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::certificate::{Sighting, Status, Timestamp};

/// What tells a sighting from others without a look at its texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digests {
    /// Of issuer, serial and place, the same in every scope.
    pub(super) identity: u128,
    /// Of everything that is kept.
    pub(super) row_digest: u64,
}

impl Digests {
    /// Returns the digests of a sighting. `fields` is room to work in.
    pub(super) fn of(sighting: &Sighting<impl AsRef<[u8]>>, fields: &mut Vec<u8>) -> Self {
        fields.clear();
        sighting.gather(fields);
        let row_digest = xxh3_64(fields);
        fields.truncate(sighting.issuer.as_ref().len() + 1 + sighting.serial.as_ref().len());
        let place = sighting.place.as_ref();
        if !place.is_empty() {
            fields.push(0xFF);
            fields.extend_from_slice(place);
        }
        Self { identity: xxh3_128(fields), row_digest }
    }

    /// Returns what a page counts its rows by: 64 bits of the identity.
    pub fn listed(self) -> u64 {
        row_of(self.identity)
    }
}

/// Returns what a page counts a row by that names a certificate, whether it can be understood or not.
pub fn listed_digest(issuer: &[u8], serial: &[u8]) -> u64 {
    row_of(xxh3_128(&[issuer, &[0xFF], serial].concat()))
}

const fn row_of(identity: u128) -> u64 {
    (identity >> 64) as u64
}

/// Sightings of one scope, in the order received.
#[derive(Clone, Debug, Default)]
pub struct Sightings {
    texts: String,
    rows: Vec<(Digests, Sighting<Range>)>,
}

/// Where a text lies among all texts, which together are far shorter than 4 GiB.
#[derive(Clone, Copy, Debug)]
struct Range {
    from: u32,
    to: u32,
}

impl Range {
    fn new(from: usize, to: usize) -> Self {
        let place = |at| u32::try_from(at).unwrap_or(u32::MAX);
        Self { from: place(from), to: place(to) }
    }

    fn of(self, texts: &str) -> &str {
        texts.get(self.from as usize..self.to as usize).unwrap_or_default()
    }
}

impl Sightings {
    /// Packs sightings whose texts nobody has looked at yet, as they came from outside.
    pub fn from_bytes<'a>(
        sightings: impl Iterator<Item = Sighting<&'a [u8]>>,
    ) -> Result<Self, Utf8Error> {
        let mut texts = Vec::new();
        let mut fields = Vec::new();
        let mut rows = Vec::with_capacity(sightings.size_hint().1.unwrap_or_default());
        for sighting in sightings {
            let digests = Digests::of(&sighting, &mut fields);
            rows.push((digests, sighting.map(|text| put(&mut texts, text))));
        }
        Ok(Self { texts: String::from_utf8(texts).map_err(|error| error.utf8_error())?, rows })
    }

    /// Adds one.
    pub fn push<T: AsRef<str> + AsRef<[u8]>>(&mut self, sighting: &Sighting<T>) {
        let digests = Digests::of(sighting, &mut Vec::with_capacity(256));
        let texts = &mut self.texts;
        let row = sighting.map(|text| {
            let from = texts.len();
            texts.push_str(text.as_ref());
            Range::new(from, texts.len())
        });
        self.rows.push((digests, row));
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns each with its texts.
    pub fn iter(&self) -> impl Iterator<Item = Sighting<&str>> {
        self.seen().map(Seen::sighting)
    }

    /// Returns copies that outlive the page.
    pub fn owned(&self) -> Vec<Sighting> {
        self.seen().map(Seen::owned).collect()
    }

    /// Returns each, without a look at its texts.
    pub fn seen(&self) -> impl Iterator<Item = Seen<'_>> {
        self.rows.iter().map(|(digests, row)| Seen { digests: *digests, row, texts: &self.texts })
    }
}

/// One of the sightings of a page.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    digests: Digests,
    row: &'a Sighting<Range>,
    texts: &'a str,
}

impl<'a> Seen<'a> {
    /// Returns its digests.
    pub fn digests(self) -> Digests {
        self.digests
    }

    /// Returns whether it was looked at in a place, rather than listed.
    pub(super) fn has_place(self) -> bool {
        self.row.place.from < self.row.place.to
    }

    /// Returns when it ends, if known.
    pub fn not_after(self) -> Option<Timestamp> {
        self.row.not_after
    }

    /// Returns the provider's state.
    pub fn status(self) -> Status {
        self.row.status
    }

    /// Returns it with its texts.
    pub fn sighting(self) -> Sighting<&'a str> {
        self.row.map(|place| place.of(self.texts))
    }

    /// Returns a copy that outlives the page.
    pub fn owned(self) -> Sighting {
        self.sighting().map(|text| (*text).to_owned())
    }
}

impl FromIterator<Sighting> for Sightings {
    fn from_iter<I: IntoIterator<Item = Sighting>>(sightings: I) -> Self {
        let mut packed = Self::default();
        packed.extend(sightings);
        packed
    }
}

impl Extend<Sighting> for Sightings {
    fn extend<I: IntoIterator<Item = Sighting>>(&mut self, sightings: I) {
        sightings.into_iter().for_each(|sighting| self.push(&sighting));
    }
}

/// Appends a text. Something that is no part of a text stands behind it, so that two broken texts never make a good one.
fn put(texts: &mut Vec<u8>, text: &[u8]) -> Range {
    let from = texts.len();
    texts.extend_from_slice(text);
    let range = Range::new(from, texts.len());
    texts.push(b'\n');
    range
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::inventory::model::sighting;
    use super::*;

    fn bytes(sighting: &Sighting) -> Sighting<&[u8]> {
        sighting.map(String::as_bytes)
    }

    proptest! {
        #![proptest_config(crate::property::config())]

        #[test]
        fn what_was_packed_comes_out_again(
            sightings in proptest::collection::vec(sighting(), 0..12), texts in proptest::collection::vec("\\PC{0,8}", 12)
        ) {
            let sightings: Vec<Sighting> = sightings
                .into_iter()
                .zip(texts)
                .map(|(sighting, text)| Sighting { common_name: text, ..sighting })
                .collect();
            let pushed: Sightings = sightings.iter().cloned().collect();
            let packed = Sightings::from_bytes(sightings.iter().map(bytes)).unwrap();
            for packed in [pushed, packed] {
                prop_assert_eq!(packed.len(), sightings.len());
                prop_assert_eq!(packed.is_empty(), sightings.is_empty());
                prop_assert_eq!(packed.owned(), sightings.clone());
                for (seen, sighting) in packed.seen().zip(&sightings) {
                    prop_assert_eq!(seen.digests().row_digest, sighting.row_digest());
                    let listed = listed_digest(sighting.issuer.as_bytes(), sighting.serial.as_bytes());
                    prop_assert_eq!(seen.digests().listed() == listed, sighting.place.is_empty());
                    prop_assert_eq!(
                        (seen.not_after(), seen.status()), (sighting.not_after, sighting.status)
                    );
                }
            }
        }
    }

    #[test]
    fn texts_that_are_only_together_utf8_are_refused() {
        let [first, second] = ["é".as_bytes()[..1].to_vec(), "é".as_bytes()[1..].to_vec()];
        let template = crate::expiry::inventory::model::device("a", "", None);
        let mut broken = bytes(&template);
        (broken.holder, broken.unit) = (&first, &second);
        assert!(Sightings::from_bytes([broken].into_iter()).is_err());
    }
}
