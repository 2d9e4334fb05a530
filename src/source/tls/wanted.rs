//! What is to be looked at in one poll: what the configuration, the file and other sources name.

use std::collections::{BTreeMap, BTreeSet};

use super::Tls;
use super::endpoint::Endpoint;
use super::list::List;
use crate::expiry::{Labels, Reason, Rejected};
use crate::source::{Checkpoint, Source, SourceError};

/// Before the path in the key of the note that a file named endpoints.
const NAMED: &str = "endpoints_file ";

/// What is to be looked at.
#[derive(Default)]
pub(super) struct Wanted {
    /// By place.
    pub(super) endpoints: BTreeMap<String, Endpoint>,
    /// What a file calls them, by place.
    pub(super) labels: BTreeMap<String, Labels>,
    pub(super) rejected: Vec<Rejected>,
    /// Names with a wildcard of which no name is looked at.
    pub(super) wildcards: Vec<String>,
    /// Why not everything is known that is to be looked at.
    pub(super) unproven: Option<String>,
    pub(super) checkpoints: Vec<Checkpoint>,
}

impl Wanted {
    pub(super) async fn of(tls: &Tls) -> Result<Self, SourceError> {
        let mut wanted = Self { endpoints: tls.options.endpoints.clone(), ..Self::default() };
        wanted.read_file(tls).await?;
        for (name, source) in &tls.options.from {
            wanted.ask(name, &**source).await;
        }
        wanted.leave_out_wildcards();
        Ok(wanted)
    }

    async fn read_file(&mut self, tls: &Tls) -> Result<(), SourceError> {
        let Some(path) = tls.options.endpoints_file.clone() else { return Ok(()) };
        let key = format!("{NAMED}{}", path.display());
        let list =
            tokio::task::spawn_blocking(move || List::read(&path)).await.map_err(|error| {
                SourceError::Unavailable(format!("reading endpoints stopped: {error}"))
            })?;
        match list {
            Err(why) => self.unproven = Some(why),
            Ok(list) if list.endpoints.is_empty() && tls.named(&key) => {
                self.unproven = Some(format!("{key} named endpoints before and names none now"));
            }
            Ok(list) => self.add(list, key),
        }
        Ok(())
    }

    fn add(&mut self, list: List, key: String) {
        if !list.endpoints.is_empty() {
            self.checkpoints.push((key, Some("named".to_owned())));
        }
        self.rejected = list.rejected;
        self.labels = list.labels;
        for (place, endpoint) in list.endpoints {
            self.endpoints.entry(place).or_insert(endpoint);
        }
    }

    /// Adds what another source knows. What it cannot tell is not gone.
    async fn ask(&mut self, name: &str, source: &dyn Source) {
        let texts = match source.endpoints().await {
            Ok(texts) => texts,
            Err(error) => {
                self.unproven.get_or_insert_with(|| format!("endpoints of `{name}`: {error}"));
                return;
            }
        };
        for text in texts {
            if text.contains('*') {
                self.wildcards.push(text);
                continue;
            }
            match Endpoint::parse(&text) {
                Ok(endpoint) => {
                    self.endpoints.entry(endpoint.place()).or_insert(endpoint);
                }
                Err(why) => {
                    let what = format!("{name}: {why}");
                    self.rejected.push(Rejected { reason: Reason::BadField, what });
                }
            }
        }
    }

    /// A wildcard needs names: those of it are looked at that somebody wrote.
    fn leave_out_wildcards(&mut self) {
        let covering = |endpoint: &Endpoint| {
            let name = endpoint.name.to_str().into_owned();
            name.split_once('.').map(|(_, parent)| format!("*.{parent}"))
        };
        let covered: BTreeSet<String> = self.endpoints.values().filter_map(covering).collect();
        self.wildcards.retain(|wildcard| !covered.contains(wildcard));
        self.wildcards.sort();
        self.wildcards.dedup();
    }
}
