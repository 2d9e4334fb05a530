//! `[metrics]`: how many certificates have series of their own, and what that weighs.

use super::labels::shown;
use super::size::size;
use super::{Fields, Key, Metrics, Shape};

const DEFAULT_SERIES: usize = 10_000;

const MEBIBYTE: usize = 1024 * 1024;
/// Some scrapers refuse more, or run out of memory; 16 MiB is the lowest limit seen in use. Prometheus takes more.
const DEFAULT_BYTES: usize = 16 * MEBIBYTE;
/// One certificate has a timestamp of about 230 bytes and an info of about 300, with names of usual length.
const BYTES_PER_CERTIFICATE: usize = 530;
/// A label with its name.
const BYTES_PER_LABEL: usize = 40;
/// When it begins.
const BYTES_PER_BEGIN: usize = 230;
/// The four series of x509-certificate-exporter.
const BYTES_PER_X509: usize = 4 * 250;
/// The sums of a source with a few scopes.
const BYTES_PER_SOURCE: usize = 64 * 1024;

/// What may stand in `[metrics]`.
pub(super) const KEYS: &[Key] = &[
    Key::new(
        "max_series_per_source",
        Shape::Count,
        "How many certificates of each source have series of their own, those that expire soonest first; sums always hold all. \
         Less by default for more than three sources or with `labels`, so that a scrape fits `max_scrape_bytes`.",
    )
    .or("10000"),
    Key::new(
        "max_scrape_bytes",
        Shape::Size,
        "What a scrape may weigh by estimate, before compression. Some scrapers refuse more than 16 MiB; Prometheus takes more.",
    )
    .or("\"16MiB\""),
    Key::new(
        "labels",
        Shape::Texts,
        "Labels of certificates that `notafter_certificate_info` shows, as `label_NAME`. Each adds about 40 bytes to a certificate.",
    )
    .or("[]"),
    Key::new(
        "not_before",
        Shape::Boolean,
        "Whether certificates also have `notafter_certificate_not_before_timestamp_seconds`. Adds about 230 bytes to each.",
    )
    .or("false"),
    Key::new(
        "x509_compat",
        Shape::Boolean,
        "Whether certificates of files and endpoints also have the names of x509-certificate-exporter. Adds about 1000 bytes to each.",
    )
    .or("false"),
];

impl Metrics {
    /// Returns about how many bytes a scrape of `sources` sources has, before compression.
    pub const fn estimated_bytes(&self, sources: usize) -> usize {
        self.max_series_per_source
            .saturating_mul(self.bytes_each())
            .saturating_add(BYTES_PER_SOURCE)
            .saturating_mul(sources)
    }

    /// Returns what one certificate has.
    const fn bytes_each(&self) -> usize {
        let begin = if self.not_before { BYTES_PER_BEGIN } else { 0 };
        let x509 = if self.x509_compat { BYTES_PER_X509 } else { 0 };
        BYTES_PER_CERTIFICATE + BYTES_PER_LABEL * self.labels.len() + begin + x509
    }

    /// Returns how many series of each source fit.
    fn most_series(&self, sources: usize) -> usize {
        (self.max_scrape_bytes / sources.max(1)).saturating_sub(BYTES_PER_SOURCE)
            / self.bytes_each()
    }
}

/// Reads `[metrics]`. The default is lowered for many sources, so that what nobody wrote is never a mistake.
pub(super) fn metrics(root: &mut Fields<'_>, sources: usize) -> Metrics {
    let mut metrics = Metrics {
        max_series_per_source: DEFAULT_SERIES,
        max_scrape_bytes: DEFAULT_BYTES,
        labels: Vec::new(),
        not_before: false,
        x509_compat: false,
    };
    let Some((table, span)) = root.table("metrics") else {
        metrics.max_series_per_source = DEFAULT_SERIES.min(metrics.most_series(sources));
        return metrics;
    };
    let mut fields = root.inside(table, span);
    metrics.max_scrape_bytes = scrape_bytes(&mut fields).unwrap_or(DEFAULT_BYTES);
    metrics.labels = shown(&mut fields);
    metrics.not_before = fields.boolean("not_before").unwrap_or_default();
    metrics.x509_compat = fields.boolean("x509_compat").unwrap_or_default();
    let most = metrics.most_series(sources);
    let written = fields.count("max_series_per_source");
    metrics.max_series_per_source =
        written.as_ref().map_or(DEFAULT_SERIES.min(most), |written| written.value);
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

    fn usual(max_series_per_source: usize) -> Metrics {
        Metrics {
            max_series_per_source,
            max_scrape_bytes: DEFAULT_BYTES,
            labels: Vec::new(),
            not_before: false,
            x509_compat: false,
        }
    }

    #[test]
    fn the_default_fits_three_sources_and_shrinks_for_more() {
        for (sources, most) in
            [(0, 31_531), (1, 31_531), (3, 10_428), (4, 7_790), (100, 192), (1_000, 0)]
        {
            assert_eq!(usual(0).most_series(sources), most, "{sources} sources");
        }
        for sources in [1, 3, 4, 100] {
            let fullest = usual(usual(0).most_series(sources));
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
        let (metrics, _) = config("not_before = true\nx509_compat = true");
        assert_eq!(metrics.max_series_per_source, 9_495, "what more is shown weighs more");
        let (metrics, _) = config("max_scrape_bytes = '1MiB'");
        assert_eq!(metrics.max_series_per_source, 1854);
        let (_, mistakes) = config("max_scrape_bytes = '1 fortnight'");
        assert!(mistakes.contains("`max_scrape_bytes`: not a size"), "{mistakes}");
    }
}
