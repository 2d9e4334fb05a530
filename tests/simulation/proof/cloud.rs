//! The providers: they list the truth page by page, and lie when the scene says so.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use notafter::facade::client::ClockOffset;
use notafter::facade::client::limiter::Limiter;
use notafter::facade::clock::Clock as _;
use notafter::facade::expiry::{Kind, Reason, Rejected, Sighting, Timestamp};
use notafter::facade::source::{Page, Presence, Slice, Source, SourceError, Window};
use xxhash_rust::xxh3::xxh3_64;

use super::judge::Answer;
use super::listing::{Listing, Row, is_within};
use super::scene::Lie;
use super::stage::Stage;
use super::truth::{Certificate, State};

/// The row that the next page begins with once more.
const OVERLAP: u64 = 1;

/// How long a provider that hangs is waited for: what a client would wait.
const PATIENCE: Duration = Duration::from_mins(1);

/// Requests a second that all sources may make together.
pub(crate) const RATE: u8 = 5;

/// How far off the clock of a provider may be, in seconds.
pub(crate) const CLOCK_OFF: i64 = 7200;

pub(crate) struct ProofCloud {
    pub(crate) index: usize,
    pub(crate) stage: Arc<Stage>,
    /// All sources are of one account.
    pub(crate) limiter: Limiter,
    pub(crate) shown: Mutex<Option<ClockOffset>>,
}

impl ProofCloud {
    fn listing(&self) -> Listing<'_> {
        Listing { stage: &self.stage, source: self.index }
    }

    /// Answers, with the time that it is by the provider's clock.
    fn answer(&self, off: i64) {
        let clock = &self.stage.clock;
        let (seen, uptime) = (clock.now(), clock.uptime());
        let seconds = clock.right().plus(off).since(seen);
        let account = self.index as u64;
        *self.shown.lock().unwrap() = Some(ClockOffset { seconds, seen, uptime, account });
        self.stage.judge().clock_shown(off == 0);
    }

    fn page_of(&self, slice: &Slice, offset: u64, lie: Option<Lie>) -> Page {
        let listing = self.listing();
        let within = slice.within.filter(|_| lie != Some(Lie::Unfiltered));
        let real = listing.real(within, |_| true);
        let [offset, take] = [offset, slice.limit].map(|rows| usize::try_from(rows).unwrap());
        let told = listing.tell(real, (offset, take), lie, |(place, _)| place);
        let endless = told.lie == Some(Lie::Endless);
        let (page, outside): (Vec<Row>, Vec<Row>) =
            told.page.into_iter().partition(|(_, state)| is_within(slice.within, *state));
        let answer = Answer { all: &told.all, page: &page, lie: told.lie, covers: &|_| true };
        self.stage.judge().page(self.index, slice, &answer);
        let mut answer = self.write(&page, told.total, endless);
        for (place, _) in outside {
            let what = listing.certificates()[place].serial.clone();
            answer.rows.push(xxh3_64(what.as_bytes()));
            answer.rejected.push(Rejected { reason: Reason::OutsideSlice, what });
        }
        answer
    }

    fn write(&self, rows: &[Row], total: u64, endless: bool) -> Page {
        let mut page = Page { total, ..Page::default() };
        for (place, state) in rows {
            let one = &self.stage.scene.certificates[*place];
            let mut sighting = sighting(one, *state);
            let digest = xxh3_64(sighting.serial.as_bytes());
            page.rows.push(digest);
            if endless && place % 3 == 0 {
                sighting.not_after = None;
                page.undated.push(digest);
            }
            page.sightings.push(&sighting);
        }
        page
    }

    async fn fail(&self, lie: Option<Lie>) -> Result<(), SourceError> {
        let error = match lie {
            Some(Lie::Throttled) => {
                self.limiter.throttled();
                SourceError::Throttled { message: "slow down".to_owned(), after: None }
            }
            Some(Lie::Away) => SourceError::Unavailable("http 503".to_owned()),
            Some(Lie::Refused) => SourceError::Refused("the token has expired".to_owned()),
            Some(Lie::Hangs) => {
                tokio::time::sleep(PATIENCE).await;
                SourceError::Unavailable("no answer in time".to_owned())
            }
            _ => return Ok(()),
        };
        Err(error)
    }
}

fn sighting(one: &Certificate, state: State) -> Sighting {
    let is_server = one.kind == Kind::Server;
    let linked = one.linked.iter().filter(|_| is_server && state.linked);
    let signs = if one.kind == Kind::Ca { "signs" } else { "" };
    Sighting {
        issuer: if one.kind == Kind::Ca { "root" } else { "authority" }.to_owned(),
        serial: one.serial.clone(),
        signer: if one.kind == Kind::Ca { "root" } else { "signs" }.to_owned(),
        signs: signs.to_owned(),
        not_before: one.not_before.map(Timestamp::from_seconds),
        not_after: Some(Timestamp::from_seconds(state.end)),
        common_name: one.holder.clone(),
        holder: one.holder.clone(),
        names: if is_server { vec![one.holder.clone()] } else { Vec::new() },
        successors: linked.map(|(_, serial)| serial.clone()).collect(),
        ..Sighting::bare(one.kind, state.status)
    }
}

#[async_trait]
impl Source for ProofCloud {
    async fn slices(&self, window: Window) -> Result<Vec<Slice>, SourceError> {
        self.stage.judge().poll(self.index, window);
        if self.stage.lie(self.index) == Some(Lie::ScopeGone) {
            self.stage.judge().scope_gone(self.index, window);
            return Ok(Vec::new());
        }
        let page = self.stage.scene.sources[self.index].page;
        let whole = Slice::whole(&"all".into(), window, page, OVERLAP);
        Ok(vec![match window {
            Window::Near { from, to } => whole.part((from, to)),
            Window::All => whole,
        }])
    }

    async fn page(&self, slice: &Slice, offset: u64) -> Result<Page, SourceError> {
        let stage = &self.stage;
        stage
            .cross("cloud", || {
                format!("{} asks {} from {offset}", self.index, slice.window.as_str())
            })
            .await;
        self.limiter.acquire().await;
        stage.judge().requested("all", usize::from(RATE));
        stage.fate.latency("cloud").await;
        let lie = stage.lie(self.index).filter(|lie| *lie != Lie::ScopeGone);
        if let Err(error) = self.fail(lie).await {
            stage.judge().page_failed();
            stage.cross("cloud", || format!("{} fails: {error}", self.index)).await;
            return Err(error);
        }
        self.limiter.succeeded();
        let page = self.page_of(slice, offset, lie);
        self.answer(if lie == Some(Lie::ClockOff) { CLOCK_OFF } else { 0 });
        stage
            .cross("cloud", || {
                format!("{} answers {} of {} {lie:?}", self.index, page.rows.len(), page.total)
            })
            .await;
        Ok(page)
    }

    async fn confirm(&self, _: &str, _: &str, serial: &str) -> Result<Presence, SourceError> {
        let stage = &self.stage;
        if !stage.scene.sources[self.index].confirms {
            return Ok(Presence::Unknown);
        }
        stage.cross("cloud", || format!("{} asks for {serial}", self.index)).await;
        self.limiter.acquire().await;
        stage.judge().requested("all", usize::from(RATE));
        stage.fate.latency("cloud").await;
        let lie = stage.lie(self.index);
        self.fail(lie).await?;
        if lie == Some(Lie::ScopeGone) {
            return Ok(Presence::NotFound);
        }
        let now = stage.right();
        let mut own = stage.scene.certificates.iter().filter(|one| one.source == self.index);
        let is_there = own.any(|one| one.serial == serial && one.is_listed(now));
        stage.judge().asked(self.index, serial, is_there);
        Ok(if is_there { Presence::Present } else { Presence::NotFound })
    }

    fn clock_offset(&self) -> Option<ClockOffset> {
        *self.shown.lock().unwrap()
    }
}

/// Returns the name of a source in the configuration.
pub(crate) fn name_of(source: usize) -> String {
    format!("source-{source}")
}
