//! What a provider tells of the truth: one page of a list, and what becomes of it where the scene wants a lie.

use notafter::facade::clock::mix;
use notafter::facade::expiry::Timestamp;

use super::scene::Lie;
use super::stage::Stage;
use super::truth::{Certificate, State};

/// One certificate by its place, as it is now.
pub(crate) type Row = (usize, State);

/// The ends that are asked for.
pub(crate) type Within = Option<(Timestamp, Timestamp)>;

/// What a list says: all that is in it, one page of that, how much there is, and how it lies.
pub(crate) struct Told<T> {
    pub(crate) all: Vec<T>,
    pub(crate) page: Vec<T>,
    pub(crate) total: u64,
    pub(crate) lie: Option<Lie>,
}

/// One source's list.
pub(crate) struct Listing<'a> {
    pub(crate) stage: &'a Stage,
    pub(crate) source: usize,
}

impl Listing<'_> {
    pub(crate) fn certificates(&self) -> &[Certificate] {
        &self.stage.scene.certificates
    }

    /// Returns what of the source is listed now and is wanted, in the order of issue.
    pub(crate) fn real(&self, within: Within, wanted: impl Fn(&Certificate) -> bool) -> Vec<Row> {
        let now = self.stage.right();
        let all = self.certificates().iter().enumerate();
        let own = all.filter(|(_, one)| one.source == self.source && wanted(one));
        let listed =
            own.filter(|(_, one)| one.is_listed(now)).map(|(place, one)| (place, one.state(now)));
        listed.filter(|(_, state)| is_within(within, *state)).collect()
    }

    /// Tells one page of what there is, of at most so many rows after so many. `place` names a row.
    pub(crate) fn tell<T: Copy>(
        &self,
        all: Vec<T>,
        (offset, limit): (usize, usize),
        lie: Option<Lie>,
        place: impl Fn(T) -> usize,
    ) -> Told<T> {
        let (mut all, mut offset, mut total) = (all, offset, 0);
        let counted = all.len() as u64;
        match lie {
            Some(Lie::Short) => {
                all.retain(|row| !self.is_left_out(place(*row)));
                total = counted;
            }
            Some(Lie::Hidden) => self.hide(&mut all),
            Some(Lie::Reordered) => all.reverse(),
            Some(Lie::TotalOff) => {
                total = (counted + 3).saturating_sub(self.number(Lie::TotalOff, 6) as u64);
            }
            Some(Lie::Repeated) => offset = offset.saturating_sub(limit),
            Some(Lie::Empty) => all.clear(),
            _ => {}
        }
        if !matches!(lie, Some(Lie::Short | Lie::TotalOff)) {
            total = all.len() as u64;
        }
        // A total that is right by chance is no lie, nor is a list that leaves nothing out.
        let may_be_true = matches!(lie, Some(Lie::TotalOff | Lie::Short));
        let is_true = may_be_true && total == all.len() as u64;
        let lie = lie.filter(|_| !is_true);
        let mut page: Vec<T> = all.iter().copied().skip(offset).take(limit).collect();
        if lie == Some(Lie::Doubled) {
            page.extend_from_within(..);
        }
        Told { all, page, total, lie }
    }

    fn number(&self, lie: Lie, below: u64) -> usize {
        let seam = format!("cloud {} {lie:?} how", self.source);
        usize::try_from(self.stage.fate.number(&seam) % below).unwrap()
    }

    /// Takes up to three rows out.
    fn hide<T>(&self, rows: &mut Vec<T>) {
        for _ in 0..=self.number(Lie::Hidden, 3) {
            if !rows.is_empty() {
                let place = self.number(Lie::Hidden, rows.len() as u64);
                rows.remove(place);
            }
        }
    }

    /// Returns whether a certificate is one that a short list leaves out: one in seven.
    fn is_left_out(&self, place: usize) -> bool {
        mix(self.stage.scene.seed, place as u64).is_multiple_of(7)
    }
}

pub(crate) fn is_within(within: Within, state: State) -> bool {
    within.is_none_or(|(from, to)| (from.seconds()..=to.seconds()).contains(&state.end))
}
