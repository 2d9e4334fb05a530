//! `notafter check`: is the configuration good, and may we read what it names?

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use clap::Args;

use super::file::{File, deps};
use super::output::printable;
use super::{Console, Exit};
use crate::config::{Config, Environment, SourceConfig, StoreUrl};
use crate::source::{Source, SourceError, Window};

#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Makes one signed call to each source as well, and prints what it may see.
    #[arg(long)]
    online: bool,
}

/// Reports every mistake, or sums up what would run.
pub(super) async fn check(
    arguments: &Arguments,
    path: &Path,
    environment: &Environment,
    console: &mut Console<'_>,
) -> anyhow::Result<Exit> {
    let Some(mut file) = File::read(path, environment, console)? else {
        return Ok(Exit::Configuration);
    };
    let sources = file.build_all(&deps()?);
    if !file.is_good(console)? {
        return Ok(Exit::Configuration);
    }
    summary(&file.config, file.warnings(), console.out)?;
    if !arguments.online {
        return Ok(Exit::Done);
    }
    let mut exit = Exit::Done;
    for (config, source) in sources {
        if !call(&config, &source, console.out).await? {
            exit = Exit::Failed;
        }
    }
    Ok(exit)
}

fn summary(config: &Config, warnings: usize, out: &mut dyn Write) -> io::Result<()> {
    let StoreUrl::Sqlite(store) = &config.store;
    writeln!(out, "the configuration is good; warnings: {warnings}")?;
    writeln!(out, "listen    {}", config.server.listen)?;
    writeln!(out, "store     sqlite:{}", store.display())?;
    for source in &config.sources {
        write!(out, "source    {} ({}), {}", source.name, source.kind.value, source.schedule)?;
        match &source.full_scan {
            Some(full) => writeln!(out, "; all of it {full}")?,
            None => writeln!(out)?,
        }
    }
    for channel in &config.channels {
        writeln!(out, "channel   {} ({})", channel.name, channel.kind.value)?;
    }
    writeln!(out, "routes    {}", config.routes.len())?;
    let bytes = config.metrics.estimated_bytes(config.sources.len());
    let series = config.metrics.max_series_per_source;
    // Tenths of a MiB, rounded up: an estimate must not promise too little.
    let tenths = bytes.saturating_mul(10).div_ceil(1024 * 1024);
    let (whole, part) = (tenths / 10, tenths % 10);
    writeln!(
        out,
        "scrape    at most about {whole}.{part} MiB, with {series} certificates of each source"
    )
}

/// Asks for the first page, and says what came back.
async fn call(
    config: &SourceConfig,
    source: &Arc<dyn Source>,
    out: &mut dyn Write,
) -> io::Result<bool> {
    let answer = first_page(source.as_ref()).await;
    let (good, text) = match answer {
        Ok(seen) => (true, seen),
        Err(error) => (false, error.to_string()),
    };
    writeln!(out, "online    {}: {}", config.name, printable(&text))?;
    out.flush()?;
    Ok(good)
}

async fn first_page(source: &dyn Source) -> Result<String, SourceError> {
    let slices = source.slices(Window::All).await?;
    let Some(first) = slices.first() else { return Ok("may read, and sees no scope".to_owned()) };
    let page = source.page(first, 0).await?;
    let mut scopes: Vec<_> = slices.iter().map(|slice| &slice.scope).collect();
    scopes.sort_unstable();
    scopes.dedup();
    Ok(format!(
        "may read; scopes: {}; entries in the first, {}: {}; not understood on its first page: {}",
        scopes.len(),
        first.scope,
        page.total,
        page.rejected.len()
    ))
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::config::load;
    use crate::source::{self, Page, Slice};

    #[test]
    fn a_summary_of_what_would_run() {
        let text = include_str!("../../config/notafter.toml");
        let (config, mistakes) = load(
            text,
            &Environment::of([("STATE_DIRECTORY", "/var/lib/notafter")]),
            source::full_scan_default,
        );
        let mut out = Vec::new();
        summary(&config.unwrap(), mistakes.warnings.len(), &mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        the configuration is good; warnings: 0
        listen    127.0.0.1:10793
        store     sqlite:/var/lib/notafter/notafter.db
        source    iot-prod (tencent-mqtt), every 10m; all of it every 1day
        source    web-certs (tencent-ssl), every 1h
        source    plant (enos), every 6h; all of it every 7days
        source    machine (files), every 1h
        channel   ops (feishu)
        channel   plant-7 (dingtalk)
        channel   devices (wecom)
        channel   web-team (slack)
        channel   automation (webhook)
        routes    5
        scrape    at most about 16.0 MiB, with 7790 certificates of each source
        ");
    }

    /// A provider that lists two scopes, or refuses.
    struct Fake {
        refuses: bool,
    }

    #[async_trait]
    impl Source for Fake {
        async fn slices(&self, window: Window) -> Result<Vec<Slice>, SourceError> {
            let slice = |scope: &str| Slice::whole(&scope.into(), window, 100, 10);
            Ok(vec![slice("mqtt-\u{1b}1"), slice("mqtt-\u{1b}1"), slice("mqtt-2")])
        }

        async fn page(&self, _: &Slice, offset: u64) -> Result<Page, SourceError> {
            assert_eq!(offset, 0);
            if self.refuses {
                return Err(SourceError::Refused("AuthFailure.SecretIdNotFound".to_owned()));
            }
            Ok(Page { total: 20_000, ..Page::default() })
        }
    }

    async fn called(refuses: bool) -> (bool, String) {
        let text = "[[source]]\nname='iot'\nkind='tencent-mqtt'\nschedule='@daily'";
        let config = load(text, &Environment::of([]), |_| None).0.unwrap().sources.remove(0);
        let source: Arc<dyn Source> = Arc::new(Fake { refuses });
        let mut out = Vec::new();
        let good = call(&config, &source, &mut out).await.unwrap();
        (good, String::from_utf8(out).unwrap())
    }

    #[tokio::test]
    async fn a_call_says_what_may_be_seen() {
        let (good, said) = called(false).await;
        assert!(good);
        assert_eq!(
            said,
            "online    iot: may read; scopes: 2; entries in the first, mqtt-\\u{1b}1: 20000; \
             not understood on its first page: 0\n"
        );
        let (good, said) = called(true).await;
        assert!(!good);
        assert_eq!(said, "online    iot: refused: AuthFailure.SecretIdNotFound\n");
    }
}
