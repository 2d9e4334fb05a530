//! `[metrics]`: how many certificates have series of their own, and what that weighs.

use super::labels::shown;
use super::size::size;
use super::{Fields, Metrics};

const DEFAULT_SERIES: usize = 10_000;

const MEBIBYTE: usize = 1024 * 1024;
/// Some scrapers refuse more, or run out of memory; 16 MiB is the lowest limit seen in use. Prometheus takes more.
const DEFAULT_BYTES: usize = 16 * MEBIBYTE;
/// One certificate has a timestamp of about 230 bytes and an info of about 300, with names of usual length.
const BYTES_PER_CERTIFICATE: usize = 530;
/// A label with its name.
const BYTES_PER_LABEL: usize = 40;
/// The sums of a source with a few scopes.
const BYTES_PER_SOURCE: usize = 64 * 1024;

impl Metrics {
    /// Returns about how many bytes a scrape of `sources` sources has, before compression.
    pub const fn estimated_bytes(&self, sources: usize) -> usize {
        self.max_series_per_source
            .saturating_mul(bytes_each(self.labels.len()))
            .saturating_add(BYTES_PER_SOURCE)
            .saturating_mul(sources)
    }
}

/// Returns what one certificate has with so many labels.
const fn bytes_each(labels: usize) -> usize {
    BYTES_PER_CERTIFICATE + BYTES_PER_LABEL * labels
}

/// Reads `[metrics]`. The default is lowered for many sources, so that what nobody wrote is never a mistake.
pub(super) fn metrics(root: &mut Fields<'_>, sources: usize) -> Metrics {
    let Some((table, span)) = root.table("metrics") else {
        return Metrics {
            max_series_per_source: DEFAULT_SERIES.min(most_series(DEFAULT_BYTES, sources, 0)),
            max_scrape_bytes: DEFAULT_BYTES,
            labels: Vec::new(),
        };
    };
    let mut fields = root.inside(table, span);
    let max_scrape_bytes = scrape_bytes(&mut fields).unwrap_or(DEFAULT_BYTES);
    let labels = shown(&mut fields);
    let most = most_series(max_scrape_bytes, sources, labels.len());
    let written = fields.count("max_series_per_source");
    let max_series_per_source = written.as_ref().map_or(DEFAULT_SERIES.min(most), |w| w.value);
    let metrics = Metrics { max_series_per_source, max_scrape_bytes, labels };
    if let Some(written) = written.filter(|written| written.value > most) {
        fields.mistake(written.span, too_many(&metrics, sources, most));
    }
    fields.finish();
    metrics
}

fn scrape_bytes(fields: &mut Fields<'_>) -> Option<usize> {
    let text = fields.string("max_scrape_bytes")?;
    match size(&text.value) {
        Ok(bytes) => Some(bytes),
        Err(why) => {
            fields.mistake(text.span, format!("`max_scrape_bytes`: {why}"));
            None
        }
    }
}

/// Returns how many series of each source fit.
fn most_series(bytes: usize, sources: usize, labels: usize) -> usize {
    (bytes / sources.max(1)).saturating_sub(BYTES_PER_SOURCE) / bytes_each(labels)
}

fn too_many(metrics: &Metrics, sources: usize, most: usize) -> String {
    let mebibytes = metrics.estimated_bytes(sources).div_ceil(MEBIBYTE);
    let allowed = metrics.max_scrape_bytes / MEBIBYTE;
    let sources = if sources == 1 { "one source".to_owned() } else { format!("{sources} sources") };
    format!(
        "`max_series_per_source` for {sources} makes a scrape of about {mebibytes} MiB, more than the \
         {allowed} MiB of `max_scrape_bytes`: write {most} or less, or, where your scraper takes it, \
         `max_scrape_bytes = \"{mebibytes}MiB\"`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, load};

    #[test]
    fn the_default_fits_three_sources_and_shrinks_for_more() {
        for (sources, most) in
            [(0, 31_531), (1, 31_531), (3, 10_428), (4, 7_790), (100, 192), (1_000, 0)]
        {
            assert_eq!(most_series(DEFAULT_BYTES, sources, 0), most, "{sources} sources");
        }
        for sources in [1, 3, 4, 100] {
            let fullest = Metrics {
                max_series_per_source: most_series(DEFAULT_BYTES, sources, 0),
                max_scrape_bytes: DEFAULT_BYTES,
                labels: Vec::new(),
            };
            assert!(fullest.estimated_bytes(sources) <= DEFAULT_BYTES, "{sources} sources");
        }
    }

    #[test]
    fn who_scrapes_with_prometheus_may_raise_the_bound() {
        let config = |metrics: &str| {
            let source = "[[source]]\nname = 's'\nkind = 'files'\nschedule = 'every 1h'\n";
            let channel = "[[channel]]\nname = 'c'\nkind = 'slack'\n[[route]]\nchannels = ['c']\n";
            let text = format!("{source}{channel}[metrics]\n{metrics}\n");
            let (config, mistakes) = load(&text, &Environment::of([]), |_| None);
            (config.unwrap().metrics, mistakes.render("x", &text))
        };
        let (metrics, mistakes) =
            config("max_scrape_bytes = '64MiB'\nmax_series_per_source = 100000");
        assert_eq!((metrics.max_series_per_source, mistakes.as_str()), (100_000, ""));
        let (_, mistakes) = config("max_series_per_source = 100000");
        assert_eq!(
            mistakes,
            "x:11:25: `max_series_per_source` for one source makes a scrape of about 51 MiB, more than the 16 MiB \
             of `max_scrape_bytes`: write 31531 or less, or, where your scraper takes it, \
             `max_scrape_bytes = \"51MiB\"`\n"
        );
        let (metrics, _) = config("max_scrape_bytes = '1MiB'");
        assert_eq!(metrics.max_series_per_source, 1854);
        let (_, mistakes) = config("max_scrape_bytes = '1 fortnight'");
        assert!(mistakes.contains("`max_scrape_bytes`: not a size"), "{mistakes}");
    }
}
