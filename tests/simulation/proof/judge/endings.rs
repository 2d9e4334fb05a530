//! 4: renewed is true, and said to those who were told of the old one.

use notafter::facade::expiry::{Facts, Timestamp};

use super::Judge;

impl Judge {
    pub(super) fn renewed(
        &mut self,
        room: usize,
        facts: &Facts,
        (successor, end): (&str, Timestamp),
    ) {
        let Some(place) = self.find(&facts.source, &facts.serial) else {
            return self.violates(4, format!("nobody has {facts:?}"));
        };
        let (now, end) = (self.right(), end.seconds());
        let Some(new) = self.find(&facts.source, successor) else {
            return self.violates(4, format!("there is no {successor} for {facts:?}"));
        };
        let one = self.certificate(new);
        let exists = one.listed <= now
            && (one.end == end || one.moved.is_some_and(|(_, moved)| moved == end));
        if !exists || facts.not_after.is_some_and(|old| old.seconds() >= end) && new != place {
            return self.violates(4, format!("{successor} does not end at {end}, for {facts:?}"));
        }
        self.judge_told(room, place, facts);
    }

    pub(super) fn gone(&mut self, room: usize, facts: &Facts) {
        let Some(place) = self.find(&facts.source, &facts.serial) else {
            return self.violates(4, format!("nobody has {facts:?}"));
        };
        self.judge_told(room, place, facts);
    }

    fn judge_told(&mut self, room: usize, place: usize, facts: &Facts) {
        if !self.books[room].told.contains_key(&place) {
            self.violates(4, format!("room {room} was never told of {facts:?}"));
        }
    }
}
