//! Who is connected, and who gives way when every place is taken.
//!
//! A connection is at work from the head of a request to the end of its answer. One that is not, because it has sent
//! nothing yet, half a head, or its next request not yet, costs its owner nothing: it gives way to a newer one, the one
//! that has been so for longest first.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The places for connections.
pub(super) struct Seats {
    places: usize,
    table: Mutex<Table>,
    freed: Notify,
}

#[derive(Default)]
struct Table {
    /// Grows with every connection and every answer, so that it orders them.
    turn: u64,
    taken: BTreeMap<u64, Taken>,
    was_full: bool,
}

struct Taken {
    /// The turn since which it is not at work.
    idle: Option<u64>,
    /// Set while its owner does not read what was answered.
    unread: Arc<AtomicBool>,
    leave: CancellationToken,
}

/// A connection's place, free again when it is dropped.
pub(super) struct Seat {
    seats: Arc<Seats>,
    number: u64,
    /// Cancelled when the connection has to give way.
    pub(super) leave: CancellationToken,
    /// To be set while its owner does not read what was answered.
    pub(super) unread: Arc<AtomicBool>,
}

/// A connection at work, until this is dropped.
pub(super) struct AtWork(Arc<Seat>);

impl Seats {
    pub(super) fn new(places: usize) -> Arc<Self> {
        Arc::new(Self { places, table: Mutex::default(), freed: Notify::new() })
    }

    /// Takes a place; when none is free, that of the connection that has been idle for longest, and when all are at work,
    /// the first that no longer is.
    pub(super) async fn take(self: &Arc<Self>) -> Arc<Seat> {
        loop {
            if let Some(seat) = self.try_take() {
                return Arc::new(seat);
            }
            self.freed.notified().await;
        }
    }

    fn try_take(self: &Arc<Self>) -> Option<Seat> {
        let mut table = self.table();
        if table.taken.len() >= self.places {
            table.make_room()?;
        }
        let number = table.next_turn();
        let (leave, unread) = (CancellationToken::new(), Arc::default());
        let taken = Taken { idle: Some(number), unread: Arc::clone(&unread), leave: leave.clone() };
        table.taken.insert(number, taken);
        Some(Seat { seats: Arc::clone(self), number, leave, unread })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing in here panics half-way.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn next_turn(&mut self) -> u64 {
        self.turn += 1;
        self.turn
    }

    fn make_room(&mut self) -> Option<()> {
        let idle = |taken: &Taken| taken.idle.filter(|_| !taken.unread.load(Ordering::Relaxed));
        let longest = self.taken.iter().filter_map(|(number, taken)| Some((idle(taken)?, *number)));
        let (_, number) = longest.min()?;
        if !std::mem::replace(&mut self.was_full, true) {
            tracing::warn!(
                "all connections are taken; those that send nothing give way from now on"
            );
        }
        self.taken.remove(&number)?.leave.cancel();
        Some(())
    }
}

impl Seat {
    /// Marks the connection as at work.
    pub(super) fn work(self: &Arc<Self>) -> AtWork {
        if let Some(taken) = self.seats.table().taken.get_mut(&self.number) {
            taken.idle = None;
        }
        AtWork(Arc::clone(self))
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        let Seat { seats, number, .. } = &*self.0;
        let mut table = seats.table();
        let turn = table.next_turn();
        if let Some(taken) = table.taken.get_mut(number) {
            taken.idle = Some(turn);
        }
        drop(table);
        seats.freed.notify_one();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.table().taken.remove(&self.number);
        self.seats.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn take(seats: &Arc<Seats>) -> Option<Arc<Seat>> {
        seats.take().now_or_never()
    }

    #[test]
    fn the_one_that_is_idle_for_longest_gives_way() {
        let seats = Seats::new(3);
        let [first, second, third] = [0; 3].map(|_| take(&seats).unwrap());
        // The first has been answered since, so the second has waited for longest.
        drop(first.work());
        let fourth = take(&seats).unwrap();
        let left = [&first, &second, &third, &fourth].map(|seat| seat.leave.is_cancelled());
        assert_eq!(left, [false, true, false, false]);
        // What has given way has no place to give back.
        drop(second);
        drop(take(&seats).unwrap());
        assert!(third.leave.is_cancelled() && !first.leave.is_cancelled());
    }

    #[test]
    fn one_at_work_or_with_an_answer_unread_does_not_give_way() {
        let seats = Seats::new(2);
        let [busy, slow] = [0; 2].map(|_| take(&seats).unwrap());
        let work = busy.work();
        slow.unread.store(true, Ordering::Relaxed);
        assert!(take(&seats).is_none());
        drop(work);
        assert!(take(&seats).is_some());
        assert!(busy.leave.is_cancelled() && !slow.leave.is_cancelled());
    }

    #[tokio::test]
    async fn a_place_that_is_freed_is_taken_by_who_waits() {
        let seats = Seats::new(1);
        let seat = take(&seats).unwrap();
        let work = seat.work();
        let free = async { drop((work, seat)) };
        let (next, ()) = tokio::join!(seats.take(), free);
        assert!(!next.leave.is_cancelled());
    }
}
