//! Providers as vendors' own: the daemon's real sources, with their requests, signatures, tokens and rates, ask pages that
//! are written as each vendor writes them. What is in them is the truth of the scene, or a lie about it.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use notafter::facade::client::http::Http;
use notafter::facade::client::{ClockOffset, Deps};
use notafter::facade::config::{Config, Mistakes};
use notafter::facade::expiry::{Kind, Status};
use notafter::facade::source::{
    Bound, Checkpoint, Context, Page, Presence, Slice, Source, SourceError, Window, build,
};

use super::judge::Answer;
use super::scene::SourceSpec;
use super::stage::Stage;
use super::truth::Certificate;
use telling::Telling;
use wire::Wire;

mod enos;
mod mqtt;
mod ssl;
mod telling;
mod wire;

/// Which vendor answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vendor {
    Mqtt,
    Ssl,
    Enos,
}

impl Vendor {
    /// Returns the vendor of a source, by its place.
    pub(crate) const fn of(source: usize) -> Self {
        match source % 3 {
            0 => Self::Mqtt,
            1 => Self::Ssl,
            _ => Self::Enos,
        }
    }

    /// Returns the kind and the options of the source, as they are written.
    pub(crate) const fn written(self) -> (&'static str, &'static str) {
        match self {
            Self::Mqtt => ("tencent-mqtt", mqtt::OPTIONS),
            Self::Ssl => ("tencent-ssl", ssl::OPTIONS),
            Self::Enos => ("enos", enos::OPTIONS),
        }
    }

    /// How a source is read is not the scene's to choose.
    pub(crate) fn decides(self, source: &mut SourceSpec) {
        source.windowed = self != Self::Ssl;
        source.confirms = self == Self::Mqtt;
    }

    const fn is_read(self) -> &'static str {
        match self {
            Self::Mqtt => "tencent-mqtt is read as it is written",
            Self::Ssl => "tencent-ssl is read as it is written",
            Self::Enos => "enos is read as it is written",
        }
    }
}

/// Returns what vendors can list of what there is: not each of them knows every state, or has authorities.
pub(crate) fn sold(certificates: Vec<Certificate>) -> Vec<Certificate> {
    let mut sold = certificates;
    sold.retain(|one| one.kind != Kind::Ca || Vendor::of(one.source) != Vendor::Enos);
    for one in &mut sold {
        let vendor = Vendor::of(one.source);
        if vendor == Vendor::Enos {
            one.states.retain(|(_, status)| matches!(status, Status::Revoked | Status::Retired));
        }
        for (_, status) in &mut one.states {
            *status = match (vendor, *status) {
                (Vendor::Ssl, Status::Inactive) => Status::Pending,
                (Vendor::Ssl, status) => status,
                (_, Status::Retired) => Status::Revoked,
                (_, status) => status,
            };
        }
    }
    sold
}

tokio::task_local! {
    /// What pages told while the source reads one of its own: it is known when the source hands that on.
    static TOLD: RefCell<Vec<Telling>>;
}

/// A real source, with somebody who watches what it is told.
pub(crate) struct VendorCloud {
    index: usize,
    real: Arc<dyn Source>,
    stage: Arc<Stage>,
    /// Whether the last answer showed the right time.
    honest: Arc<AtomicBool>,
}

impl VendorCloud {
    pub(crate) fn new(
        index: usize,
        stage: &Arc<Stage>,
        (config, deps): (&Config, &Deps),
        mistakes: &mut Mistakes,
    ) -> Self {
        let honest = Arc::new(AtomicBool::new(true));
        let wire = Wire::new(index, stage, &honest);
        let deps = Deps { http: Http::over(Arc::new(wire)), ..deps.clone() };
        let context = Context { deps: &deps, sources: &config.sources };
        let real = build(&config.sources[index], &context, mistakes);
        let real = real.unwrap_or_else(|| panic!("{}", mistakes.render("the scene", "")));
        Self { index, real, stage: Arc::clone(stage), honest }
    }

    fn tell(&self, slice: &Slice, told: Vec<Telling>) {
        let mut judge = self.stage.judge();
        for telling in told {
            let covers = |one: &Certificate| telling.covers(one);
            let slice = Slice { within: telling.within, ..slice.clone() };
            let answer = Answer {
                all: &telling.all,
                page: &telling.page,
                lie: telling.lie,
                covers: &covers,
            };
            judge.page(self.index, &slice, &answer);
        }
        judge.reach(Vendor::of(self.index).is_read());
        if self.honest.load(Ordering::Relaxed) {
            judge.clock_shown(true);
        }
    }
}

#[async_trait]
impl Source for VendorCloud {
    async fn slices(&self, window: Window) -> Result<Vec<Slice>, SourceError> {
        self.stage.judge().poll(self.index, window);
        let slices = self.real.slices(window).await?;
        if slices.is_empty() {
            self.stage.judge().scope_gone(self.index, window);
        }
        Ok(slices)
    }

    fn scopes(&self) -> Option<Vec<Arc<str>>> {
        self.real.scopes()
    }

    async fn page(&self, slice: &Slice, offset: u64) -> Result<Page, SourceError> {
        let reading = async {
            let page = self.real.page(slice, offset).await;
            (page, TOLD.with(RefCell::take))
        };
        let (page, told) = TOLD.scope(RefCell::default(), reading).await;
        match &page {
            Ok(_) => self.tell(slice, told),
            Err(_) => self.stage.judge().page_failed(),
        }
        page
    }

    fn width(&self) -> usize {
        self.real.width()
    }

    async fn confirm(
        &self,
        scope: &str,
        issuer: &str,
        serial: &str,
    ) -> Result<Presence, SourceError> {
        self.real.confirm(scope, issuer, serial).await
    }

    fn clock_offset(&self) -> Option<ClockOffset> {
        self.real.clock_offset()
    }

    async fn warnings(&self) -> Vec<String> {
        self.real.warnings().await
    }

    fn is_waiting(&self) -> bool {
        self.real.is_waiting()
    }

    async fn endpoints(&self) -> Result<Vec<String>, SourceError> {
        self.real.endpoints().await
    }

    fn tells_use(&self) -> bool {
        self.real.tells_use()
    }

    async fn bound(&self, serials: &[String]) -> Vec<Option<Bound>> {
        self.real.bound(serials).await
    }

    fn restore(&self, scope: &str, checkpoints: &[Checkpoint]) {
        self.real.restore(scope, checkpoints);
    }
}
