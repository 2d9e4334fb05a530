//! A certificate that is named on the command line: by its serial or its id.

use std::fmt::Write as _;

use clap::Args;

use super::daemon::{Daemon, escaped};
use crate::web::{Certificate, Certificates};

/// Certificates that the daemon is asked for at once.
const PAGE: usize = 1000;

/// Which certificate is meant.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Named {
    /// Its serial, or its id.
    #[arg(value_name = "SERIAL")]
    pub(super) serial: Option<String>,
    /// Only in this source, where several have the serial.
    #[arg(long, value_name = "NAME", requires = "serial")]
    source: Option<String>,
    /// Only in this scope.
    #[arg(long, value_name = "NAME", requires = "serial")]
    scope: Option<String>,
    /// Only in this place.
    #[arg(long, value_name = "PLACE", requires = "serial")]
    place: Option<String>,
    /// Only of this issuer.
    #[arg(long, value_name = "NAME", requires = "serial")]
    issuer: Option<String>,
}

impl Named {
    /// Returns every certificate that this names, as the daemon knows them.
    pub(super) async fn find(&self, daemon: &Daemon) -> anyhow::Result<Vec<Certificate>> {
        let serial = self.serial.as_deref().unwrap_or_default();
        if is_id(serial) {
            // An id names one of those that are known by it, and nothing is listed by it.
            let path = format!("/api/v1/certificates?q={serial}&limit=2");
            let page: Certificates = daemon.get(&path).await?;
            let found = page.items.into_iter().filter(|one| one.id.eq_ignore_ascii_case(serial));
            let found: Vec<_> = found.collect();
            if !found.is_empty() {
                return Ok(found);
            }
        }
        let mut filter = format!("serial={}", escaped(serial));
        let said = [
            ("source", &self.source),
            ("scope", &self.scope),
            ("place", &self.place),
            ("issuer", &self.issuer),
        ];
        for (name, value) in said {
            if let Some(value) = value {
                write!(filter, "&{name}={}", escaped(value))?;
            }
        }
        let mut found = all(daemon, &filter).await?;
        found.retain(|one| self.is(one));
        Ok(found)
    }

    /// Returns whether a certificate is what is meant: what is listed may be so by a pattern.
    fn is(&self, one: &Certificate) -> bool {
        let same = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == found)
        };
        same(&self.serial, &one.serial)
            && same(&self.source, &one.source)
            && same(&self.scope, &one.scope)
            && same(&self.place, &one.place)
            && same(&self.issuer, &one.issuer)
    }
}

fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

async fn all(daemon: &Daemon, filter: &str) -> anyhow::Result<Vec<Certificate>> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/v1/certificates?{filter}&limit={PAGE}{cursor}");
        let page: Certificates = daemon.get(&path).await?;
        found.extend(page.items);
        let Some(next) = page.next else { return Ok(found) };
        cursor = format!("&cursor={}", escaped(&next));
    }
}
