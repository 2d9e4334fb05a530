//! `[metrics]`: how many certificates have series of their own, and what that weighs.

use super::spelling::quoted;
use super::{Fields, Metrics};

const DEFAULT_SERIES: usize = 10_000;

/// Some scrapers refuse more, or run out of memory; 16 MiB is the lowest limit seen in use.
const BODY_BUDGET: usize = 16 * 1024 * 1024;
/// One certificate has a timestamp of about 230 bytes and an info of about 300, with names of usual length.
const BYTES_PER_CERTIFICATE: usize = 530;
/// The sums of a source with a few scopes.
const BYTES_PER_SOURCE: usize = 64 * 1024;

impl Metrics {
    /// Returns about how many bytes a scrape of `sources` sources has, before compression.
    pub const fn estimated_bytes(self, sources: usize) -> usize {
        self.max_series_per_source
            .saturating_mul(BYTES_PER_CERTIFICATE)
            .saturating_add(BYTES_PER_SOURCE)
            .saturating_mul(sources)
    }
}

/// Reads `[metrics]`. The default is lowered for many sources, so that what nobody wrote is never a mistake.
pub(super) fn metrics(root: &mut Fields<'_>, sources: usize) -> Metrics {
    let most = most_series(sources);
    let default = Metrics { max_series_per_source: DEFAULT_SERIES.min(most) };
    let Some((table, span)) = root.table("metrics") else { return default };
    let mut fields = root.inside(table, span);
    let mut metrics = default;
    if let Some(limit) = fields.count("max_series_per_source") {
        metrics.max_series_per_source = limit.value;
        if limit.value > most {
            fields.mistake(limit.span, too_many(metrics, sources, most));
        }
    }
    fields.finish();
    metrics
}

fn most_series(sources: usize) -> usize {
    (BODY_BUDGET / sources.max(1)).saturating_sub(BYTES_PER_SOURCE) / BYTES_PER_CERTIFICATE
}

fn too_many(metrics: Metrics, sources: usize, most: usize) -> String {
    let mebibytes = metrics.estimated_bytes(sources) / (1024 * 1024);
    format!(
        "{} for {sources} sources makes a scrape of about {mebibytes} MiB, and scrapers refuse more than \
         16 MiB: write {most} or less",
        quoted("max_series_per_source")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_fits_three_sources_and_shrinks_for_more() {
        for (sources, most) in
            [(0, 31_531), (1, 31_531), (3, 10_428), (4, 7_790), (100, 192), (1_000, 0)]
        {
            assert_eq!(most_series(sources), most, "{sources} sources");
        }
        for sources in [1, 3, 4, 100] {
            let fullest = Metrics { max_series_per_source: most_series(sources) };
            assert!(fullest.estimated_bytes(sources) <= BODY_BUDGET, "{sources} sources");
        }
    }
}
