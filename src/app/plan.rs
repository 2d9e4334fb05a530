//! A checked configuration with its sources and channels built: everything that can be wrong has been found.

use std::path::PathBuf;
use std::sync::Arc;

use super::heartbeat::Heartbeat;
use crate::channel::{self, Channel};
use crate::client::http::{Http, Transport};
use crate::client::limiter::Limiters;
use crate::client::{Deps, Meter};
use crate::clock::{Clock, Random};
use crate::config::{Config, Environment, Mistakes, load};
use crate::metrics::{DaemonMetrics, Setup, SourceSetup};
use crate::pipeline::{Settings, Watched};
use crate::schedule;
use crate::source::{self, Source};

/// A configuration, checked, with its sources and channels built.
pub struct Plan {
    /// The configuration.
    pub config: Arc<Config>,
    /// The sources, in the order of the configuration.
    pub sources: Vec<Arc<dyn Source>>,
    /// The channels, in the order of the configuration.
    pub channels: Vec<Arc<dyn Channel>>,
    /// Whom it tells that all is well.
    pub heartbeat: Option<Heartbeat>,
    /// The rates that the sources keep.
    pub limiters: Limiters,
    /// Warnings, rendered.
    pub warnings: String,
}

/// Where the configuration is read, at the start and at each reload, and what its sources and channels are built with.
#[derive(Clone)]
pub struct ConfigFile {
    /// The file.
    pub path: PathBuf,
    /// Where secrets are looked up.
    pub environment: Environment,
    /// The clock that requests are signed with.
    pub clock: Arc<dyn Clock>,
    /// The chance in the waits between attempts.
    pub random: Arc<dyn Random>,
    /// Carries requests; `None`: the network, with the authorities that the machine trusts when the file is read.
    pub transport: Option<Arc<dyn Transport>>,
    /// Counts requests.
    pub metrics: Arc<DaemonMetrics>,
}

impl ConfigFile {
    /// Reads and checks the file, every mistake at once, rendered with its place.
    pub fn read(&self) -> Result<Plan, String> {
        let shown = self.path.display().to_string();
        let text = std::fs::read_to_string(&self.path);
        let text = text.map_err(|error| format!("{shown}: {error}\n"))?;
        self.read_text(&shown, &text)
    }

    /// Checks the text of such a file, which is called `shown` where it has mistakes.
    pub fn read_text(&self, shown: &str, text: &str) -> Result<Plan, String> {
        let (config, mut mistakes) = load(text, &self.environment, source::full_scan_default);
        let deps = Deps {
            http: self
                .transport
                .as_ref()
                .map_or_else(Http::new, |it| Ok(Http::over(Arc::clone(it))))?,
            limiters: Limiters::default(),
            clock: Arc::clone(&self.clock),
            random: Arc::clone(&self.random),
            meter: Arc::clone(&self.metrics) as Arc<dyn Meter>,
        };
        let built = config.map(|config| build(config, &deps, &mut mistakes));
        let rendered = mistakes.render(shown, text);
        match built {
            Some(mut plan) if mistakes.errors.is_empty() => {
                plan.warnings = rendered;
                Ok(plan)
            }
            _ => Err(rendered),
        }
    }
}

impl Plan {
    /// Returns what the pipeline has to know.
    pub fn settings(&self, clock: &dyn Clock) -> Settings {
        Settings { config: Arc::clone(&self.config), watched: self.watched(clock) }
    }

    fn watched(&self, clock: &dyn Clock) -> Vec<Watched> {
        let now = clock.now();
        let watch = |(source, built): (&crate::config::SourceConfig, &Arc<dyn Source>)| {
            let often = schedule::interval(&source.schedule, now);
            let seldom = source.full_scan.as_ref().map(|full| schedule::interval(full, now));
            let intervals = match (windowed(&source.kind.value), seldom) {
                (true, Some(seldom)) => vec![("near", often), ("all", seldom)],
                (true, None) => vec![("near", often)],
                (false, Some(seldom)) => vec![("all", often.min(seldom))],
                (false, None) => vec![("all", often)],
            };
            let (name, kind) = (source.name.clone(), source.kind.value.clone());
            let serves = source::find(&kind).is_some_and(|kind| kind.serves);
            let tells_use = built.tells_use();
            Watched { name, kind, intervals, scopes: built.scopes(), serves, tells_use }
        };
        self.config.sources.iter().zip(&self.sources).map(watch).collect()
    }

    /// Returns what the daemon's own metrics have to know.
    pub fn setup(&self, clock: &dyn Clock) -> Setup {
        Setup {
            sources: self.watched(clock).into_iter().map(counted).collect(),
            channels: self.config.channels.iter().map(|channel| channel.name.clone()).collect(),
            heartbeat: self.config.heartbeat.as_ref().map(|it| it.every.as_secs_f64()),
        }
    }
}

/// Returns what is counted of a source: its kind says what it sends and which scope it always has.
fn counted(source: Watched) -> SourceSetup {
    let kind = source::find(&source.kind);
    #[expect(clippy::cast_precision_loss, reason = "an interval is far below 2^52 seconds")]
    let interval = |(window, seconds): (&str, i64)| (window.to_owned(), seconds as f64);
    SourceSetup {
        name: source.name,
        kind: source.kind,
        actions: kind.map_or(&[], |kind| kind.actions),
        fixed_scope: kind.and_then(|kind| kind.fixed_scope),
        intervals: source.intervals.into_iter().map(interval).collect(),
    }
}

/// Returns whether a kind of source can be read by windows.
pub(super) fn windowed(kind: &str) -> bool {
    source::find(kind).is_some_and(|kind| kind.windowed)
}

fn build(config: Config, deps: &Deps, mistakes: &mut Mistakes) -> Plan {
    let context = source::Context { deps, sources: &config.sources };
    let sources =
        config.sources.iter().filter_map(|one| source::build(one, &context, mistakes)).collect();
    let channels =
        config.channels.iter().filter_map(|one| channel::build(one, deps, mistakes)).collect();
    let with_http = |config| Heartbeat { config, http: deps.http.clone() };
    let heartbeat = config.heartbeat.clone().map(with_http);
    let (config, limiters) = (Arc::new(config), deps.limiters.clone());
    Plan { config, sources, channels, heartbeat, limiters, warnings: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{SystemClock, SystemRandom};

    /// The kind is known to nobody but its own file and its line in the list.
    #[test]
    fn a_kind_of_source_is_described_in_one_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notafter.toml");
        let text = "[[source]]\nname = 'x'\nkind = 'example'\nschedule = 'every 1h'";
        std::fs::write(&path, text).unwrap();
        let file = ConfigFile {
            path,
            environment: Environment::of([]),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            transport: None,
            metrics: Arc::new(DaemonMetrics::new(&Setup::default())),
        };
        let plan = file.read().unwrap();
        let setup = plan.setup(&SystemClock).sources.remove(0);
        let actions: Vec<_> = setup.actions.iter().map(|action| action.as_str()).collect();
        assert_eq!((actions, setup.fixed_scope), (vec!["ListExamples"], Some("everything")));
        let intervals = [("near".to_owned(), 3600.0), ("all".to_owned(), 172_800.0)];
        assert_eq!(setup.intervals, intervals);
    }
}
