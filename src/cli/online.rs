//! What a source may do: a call for each right, counted by what came back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use super::output::wrong_places;
use crate::client::{Action, Meter, Outcome};
use crate::expiry::Kind;
use crate::source::{Page, Presence, Slice, Source, SourceError, Window};

/// A serial that no certificate has, to ask for where none was seen.
const NO_SERIAL: &str = "0";

/// What providers refused, by source. Some refusals a source can live with for a while, and says nothing of.
#[derive(Default)]
pub(super) struct Rights {
    refused: Mutex<BTreeMap<String, BTreeSet<Action>>>,
}

impl Rights {
    fn refused(&self, source: &str) -> BTreeSet<Action> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.get(source).cloned().unwrap_or_default()
    }
}

impl Meter for Rights {
    fn request(&self, source: &str, action: Action, outcome: Outcome, _: f64) {
        if outcome == Outcome::Refused {
            let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            refused.entry(source.to_owned()).or_default().insert(action);
        }
    }

    fn clock_offset(&self, _: &str, _: i64) {}
}

/// Tries everything that a scan does, once, and says in lines what may be seen; with whether it is everything.
pub(super) async fn ask(name: &str, source: &dyn Source, rights: &Rights) -> (bool, Vec<String>) {
    let slices = match source.slices(Window::All).await {
        Ok(slices) => slices,
        Err(error) => return (false, vec![error.to_string()]),
    };
    let mut seen = Seen::default();
    for slice in &slices {
        let page = source.page(slice, 0).await;
        seen.take(slice, page);
    }
    if let Some(slice) = slices.iter().find(|slice| slice.kind != Some(Kind::Ca)) {
        let serial = seen.serial.as_deref().unwrap_or(NO_SERIAL);
        let answer = source.confirm(&slice.scope, "", serial).await;
        seen.point_read(&slice.scope, answer);
    }
    if let Some(serial) = seen.serial.take_if(|_| source.tells_use()) {
        // What it answers does not matter here, nor whether it has the answer already: what it refuses is counted.
        source.bound(&[serial]).await;
    }
    let mut lines = seen.failures;
    for action in rights.refused(name) {
        lines.push(format!("may not {action}: the provider refuses it to these credentials"));
    }
    let good = lines.is_empty();
    if good && slices.is_empty() {
        lines
            .push("may list, and sees no scope: what it may do inside one is not tried".to_owned());
    } else if good {
        let scopes: BTreeSet<_> = slices.iter().map(|slice| &slice.scope).collect();
        lines.push(format!(
            "may read; scopes: {}; entries in all: {}; not understood on the first pages: {}",
            scopes.len(),
            seen.total,
            seen.rejected
        ));
    }
    (good, lines)
}

#[derive(Default)]
struct Seen {
    total: u64,
    rejected: usize,
    /// That of a certificate that is there.
    serial: Option<String>,
    failures: Vec<String>,
}

impl Seen {
    fn take(&mut self, slice: &Slice, page: Result<Page, SourceError>) {
        let page = match page {
            Ok(page) => page,
            Err(error) => return self.failures.push(format!("{}: {error}", slice.scope)),
        };
        self.total = self.total.saturating_add(page.total);
        self.rejected += page.rejected.len();
        self.failures.extend(page.places.iter().flat_map(wrong_places));
        if slice.kind != Some(Kind::Ca) && self.serial.is_none() {
            self.serial = page.sightings.iter().next().map(|sighting| sighting.serial.to_owned());
        }
    }

    /// Whether that one certificate is there does not matter, only whether it may be asked for. A request that is no
    /// good, since there was no serial to ask for, was not refused.
    fn point_read(&mut self, scope: &str, answer: Result<Presence, SourceError>) {
        match answer {
            Ok(_) => {}
            Err(SourceError::BadRequest(_)) if self.serial.is_none() => {}
            Err(error) => self.failures.push(format!("{scope}: one certificate: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::expiry::{Bound, Sighting, Status};

    const POINT_READ: Action = Action::new("DescribeOne");
    const BOUND: Action = Action::new("CreateBinding");

    /// A provider that lists two scopes of 20 000, or refuses.
    struct Fake<'a> {
        refuses: Option<&'static str>,
        rights: &'a Rights,
        scopes: usize,
    }

    fn refused() -> SourceError {
        SourceError::Refused("AuthFailure.UnauthorizedOperation".to_owned())
    }

    #[async_trait]
    impl Source for Fake<'_> {
        async fn slices(&self, window: Window) -> Result<Vec<Slice>, SourceError> {
            if self.refuses == Some("slices") {
                return Err(refused());
            }
            let slice = |scope: &str| Slice::whole(&scope.into(), window, 100, 10);
            Ok([slice("mqtt-1"), slice("mqtt-2")].into_iter().take(self.scopes).collect())
        }

        async fn page(&self, slice: &Slice, offset: u64) -> Result<Page, SourceError> {
            assert_eq!(offset, 0);
            if self.refuses == Some("page") && &*slice.scope == "mqtt-2" {
                return Err(refused());
            }
            let bound = (self.refuses == Some("bound")).then(|| Sighting {
                serial: "a".to_owned(),
                ..Sighting::bare(Kind::Server, Status::Active)
            });
            let sightings = bound.into_iter().collect();
            Ok(Page { total: 20_000, sightings, ..Page::default() })
        }

        fn tells_use(&self) -> bool {
            self.refuses == Some("bound")
        }

        async fn bound(&self, serials: &[String]) -> Vec<Option<Bound>> {
            assert_eq!(serials, ["a"]);
            self.rights.request("iot", BOUND, Outcome::Refused, 0.1);
            vec![Some(Bound::Unknown)]
        }

        async fn confirm(
            &self,
            scope: &str,
            _: &str,
            serial: &str,
        ) -> Result<Presence, SourceError> {
            let known = if self.refuses == Some("bound") { "a" } else { NO_SERIAL };
            assert_eq!((scope, serial), ("mqtt-1", known));
            match self.refuses {
                Some("bound") => Ok(Presence::Present),
                Some("confirm") => Err(refused()),
                Some("silent") => {
                    self.rights.request("iot", POINT_READ, Outcome::Refused, 0.1);
                    Ok(Presence::Unknown)
                }
                _ => Err(SourceError::BadRequest("InvalidParameterValue".to_owned())),
            }
        }
    }

    async fn asked(refuses: Option<&'static str>, scopes: usize) -> (bool, String) {
        let rights = Rights::default();
        let (good, lines) = ask("iot", &Fake { refuses, rights: &rights, scopes }, &rights).await;
        (good, lines.join("\n"))
    }

    #[tokio::test]
    async fn every_right_is_tried_and_totals_are_those_of_all_scopes() {
        let refused = "refused: AuthFailure.UnauthorizedOperation";
        for (refuses, scopes, good, said) in [
            (
                None,
                2,
                true,
                "may read; scopes: 2; entries in all: 40000; not understood on the first pages: 0"
                    .to_owned(),
            ),
            (
                None,
                0,
                true,
                "may list, and sees no scope: what it may do inside one is not tried".to_owned(),
            ),
            (Some("slices"), 2, false, refused.to_owned()),
            (Some("page"), 2, false, format!("mqtt-2: {refused}")),
            (Some("confirm"), 2, false, format!("mqtt-1: one certificate: {refused}")),
            (
                Some("silent"),
                2,
                false,
                "may not DescribeOne: the provider refuses it to these credentials".to_owned(),
            ),
            (
                Some("bound"),
                2,
                false,
                "may not CreateBinding: the provider refuses it to these credentials".to_owned(),
            ),
        ] {
            assert_eq!(asked(refuses, scopes).await, (good, said), "{refuses:?}");
        }
    }
}
