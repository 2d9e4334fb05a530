//! The providers: they list the truth page by page, and lie when the scene says so.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use notafter::facade::client::ClockOffset;
use notafter::facade::clock::Clock as _;
use notafter::facade::expiry::{Kind, Sighting, Timestamp};
use notafter::facade::source::{Page, Presence, Slice, Source, SourceError, Window};
use xxhash_rust::xxh3::xxh3_64;

use super::judge::Answer;
use super::scene::Lie;
use super::stage::Stage;
use super::truth::{Certificate, State};

/// The row that the next page begins with once more.
const OVERLAP: u64 = 1;

/// How long a provider that hangs is waited for: what a client would wait.
const PATIENCE: Duration = Duration::from_mins(1);

/// How far off the clock of a provider may be, in seconds.
const CLOCK_OFF: i64 = 7200;

pub(crate) struct ProofCloud {
    pub(crate) index: usize,
    pub(crate) stage: Arc<Stage>,
    pub(crate) shown: Mutex<Option<ClockOffset>>,
}

/// One row as an answer shows it.
type Row = (usize, State);

impl ProofCloud {
    fn certificates(&self) -> &[Certificate] {
        &self.stage.scene.certificates
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

    /// Returns what really is in a slice, in the order of issue.
    fn real(&self, slice: &Slice) -> Vec<Row> {
        let now = self.stage.right();
        let own =
            self.certificates().iter().enumerate().filter(|(_, one)| one.source == self.index);
        let listed =
            own.filter(|(_, one)| one.is_listed(now)).map(|(place, one)| (place, one.state(now)));
        let within = |state: &State| {
            slice
                .within
                .is_none_or(|(from, to)| (from.seconds()..=to.seconds()).contains(&state.end))
        };
        listed.filter(|(_, state)| within(state)).collect()
    }

    fn number(&self, lie: Lie, below: u64) -> usize {
        let seam = format!("cloud {} {lie:?} how", self.index);
        usize::try_from(self.stage.fate.number(&seam) % below).unwrap()
    }

    fn left_out(&self, mut rows: Vec<Row>, lie: Lie) -> Vec<Row> {
        let count = if lie == Lie::Hidden { 3 } else { 25 };
        for _ in 0..=self.number(lie, count) {
            if !rows.is_empty() {
                let place = self.number(lie, rows.len() as u64);
                rows.remove(place);
            }
        }
        rows
    }

    fn page_of(&self, slice: &Slice, offset: u64, lie: Option<Lie>) -> Page {
        let real = self.real(slice);
        let mut total = real.len() as u64;
        let mut rows = real;
        let mut offset = usize::try_from(offset).unwrap();
        match lie {
            Some(lie @ Lie::Short) => rows = self.left_out(rows, lie),
            Some(lie @ Lie::Hidden) => {
                rows = self.left_out(rows, lie);
                total = rows.len() as u64;
            }
            Some(Lie::Reordered) => rows.reverse(),
            Some(Lie::TotalOff) => {
                total = (total + 3).saturating_sub(self.number(Lie::TotalOff, 6) as u64);
            }
            Some(Lie::Repeated) => {
                offset = offset.saturating_sub(usize::try_from(slice.limit).unwrap());
            }
            Some(Lie::Empty) => (rows, total) = (Vec::new(), 0),
            _ => {}
        }
        // A wrong total that is right by chance is no lie.
        let is_true = lie == Some(Lie::TotalOff) && total == rows.len() as u64;
        let lie = lie.filter(|_| !is_true);
        let take = usize::try_from(slice.limit).unwrap();
        let mut page: Vec<Row> = rows.iter().copied().skip(offset).take(take).collect();
        if lie == Some(Lie::Doubled) {
            page.extend(page.clone());
        }
        let endless = lie == Some(Lie::Endless);
        self.stage.judge().page(self.index, slice, &Answer { all: &rows, page: &page, lie });
        self.write(&page, total, endless)
    }

    fn write(&self, rows: &[Row], total: u64, endless: bool) -> Page {
        let mut page = Page { total, ..Page::default() };
        for (place, state) in rows {
            let mut sighting = sighting(&self.certificates()[*place], *state);
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
        stage.fate.latency("cloud").await;
        let lie = stage.lie(self.index);
        if let Err(error) = self.fail(lie).await {
            stage.judge().page_failed(self.index, slice);
            stage.cross("cloud", || format!("{} fails: {error}", self.index)).await;
            return Err(error);
        }
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
        stage.fate.latency("cloud").await;
        let lie = stage.lie(self.index);
        self.fail(lie).await?;
        let now = stage.right();
        let mut own = self.certificates().iter().filter(|one| one.source == self.index);
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
