//! The provider: a truth that the seed draws, and a source that lists it.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use notafter::facade::client::ClockOffset;
use notafter::facade::clock::{BentClock, Clock as _};
use notafter::facade::expiry::{Kind, Sighting, Status, Timestamp};
use notafter::facade::source::{Page, Slice, Source, SourceError, Window};

use super::fate::Fate;
use super::trace::Trace;

pub(crate) const DAY: i64 = 86_400;

/// The lives of certificates, in days. Long ones, whose rungs are those of the ladder as it is written.
const LIVES: [i64; 3] = [120, 200, 398];

/// Rows of one page.
const PAGE: u64 = 7;

/// The row that the next page begins with once more.
const OVERLAP: u64 = 1;

/// One certificate, as it really is.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    pub(crate) serial: String,
    pub(crate) holder: String,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    /// When the provider begins to list it.
    pub(crate) issued: Timestamp,
    /// When another takes its place, if one does.
    pub(crate) renewed: Option<Timestamp>,
}

impl Certificate {
    fn sighting(&self) -> Sighting {
        Sighting {
            issuer: "authority".to_owned(),
            serial: self.serial.clone(),
            not_before: Some(self.not_before),
            not_after: Some(self.not_after),
            common_name: self.holder.clone(),
            holder: self.holder.clone(),
            ..Sighting::bare(Kind::Device, Status::Active)
        }
    }
}

/// Draws `count` certificates that end within 60 days of `now`. About half are renewed within `days`.
pub(crate) fn draw(fate: &Fate, now: Timestamp, count: usize, days: i64) -> Vec<Certificate> {
    let mut all = Vec::new();
    for number in 0..count {
        let life = LIVES[usize::try_from(fate.between("life", 0, 3)).unwrap()] * DAY;
        let not_after = now.plus(fate.between("end", 3600, 60 * DAY));
        let renewed = fate.happens("renewal", 2);
        let renewed = renewed.then(|| now.plus(fate.between("renewed at", DAY, (days - 1) * DAY)));
        let old = Certificate {
            serial: format!("old-{number}"),
            holder: format!("holder-{number}"),
            not_before: not_after.plus(-life),
            not_after,
            issued: now,
            renewed,
        };
        all.extend(renewed.map(|at| Certificate {
            serial: format!("new-{number}"),
            not_before: at,
            not_after: at.plus(life.max(60 * DAY)),
            issued: at,
            renewed: None,
            ..old.clone()
        }));
        all.push(old);
    }
    // In the order of issue, so that a new one does not move the others.
    all.sort_by_key(|one| (one.issued, one.serial.clone()));
    all
}

/// A source that lists the truth, some rows a page, and is away now and then.
pub(crate) struct SimCloud {
    pub(crate) name: &'static str,
    pub(crate) truth: Vec<Certificate>,
    /// The daemon's clock, which knows the right time as well: the provider's.
    pub(crate) clock: Arc<BentClock>,
    /// What the last answer shows of it.
    pub(crate) shown: Mutex<Option<ClockOffset>>,
    pub(crate) fate: Arc<Fate>,
    pub(crate) trace: Arc<Trace>,
}

impl SimCloud {
    fn seam(&self) -> String {
        format!("cloud {}", self.name)
    }

    /// Answers, with the time that it is by the provider's clock.
    fn answer(&self) {
        let (seen, uptime) = (self.clock.now(), self.clock.uptime());
        let (seconds, account) = (self.clock.right().since(seen), self.name.len() as u64);
        *self.shown.lock().unwrap() = Some(ClockOffset { seconds, seen, uptime, account });
    }

    fn rows(&self, slice: &Slice, offset: u64) -> Page {
        let now = self.clock.right();
        let within = |one: &&Certificate| {
            slice.within.is_none_or(|(from, to)| (from..=to).contains(&one.not_after))
        };
        let listed = self.truth.iter().filter(|one| one.issued <= now).filter(within);
        let mut page = Page { total: listed.clone().count() as u64, ..Page::default() };
        let (skip, take) = (usize::try_from(offset).unwrap(), usize::try_from(PAGE).unwrap());
        for one in listed.skip(skip).take(take) {
            let sighting = one.sighting();
            page.rows.push(sighting.row_digest());
            page.sightings.push(&sighting);
        }
        page
    }
}

#[async_trait]
impl Source for SimCloud {
    async fn slices(&self, window: Window) -> Result<Vec<Slice>, SourceError> {
        let whole = Slice::whole(&"all".into(), window, PAGE, OVERLAP);
        Ok(vec![match window {
            Window::Near { from, to } => whole.part((from, to)),
            Window::All => whole,
        }])
    }

    async fn page(&self, slice: &Slice, offset: u64) -> Result<Page, SourceError> {
        let seam = self.seam();
        let asked = format!("{} from {offset}", slice.window.as_str());
        self.trace.note(&seam, &format!("asks for {asked}"));
        self.fate.latency(&seam).await;
        if self.fate.happens(&format!("{seam} away"), 20) {
            self.trace.note(&seam, &format!("{asked}: away"));
            return Err(SourceError::Unavailable("http 503".to_owned()));
        }
        let page = self.rows(slice, offset);
        self.answer();
        self.trace.note(&seam, &format!("{asked}: {} of {}", page.rows.len(), page.total));
        Ok(page)
    }

    fn clock_offset(&self) -> Option<ClockOffset> {
        *self.shown.lock().unwrap()
    }
}
