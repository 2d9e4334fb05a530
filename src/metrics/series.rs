//! Series of single certificates: the soonest of each source, within a limit that is said aloud.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::{self, Write};
use std::sync::Arc;

use super::families as f;
use super::writer::{Value, Writer, push_label};
use super::{Names, NamesError, Shown, x509};
use crate::expiry::{Facts, Kind, Row, RowId, ScopeId, Status, Timestamp, View};

/// The ranking depends on the time, so it is made again after this many seconds even when nothing changed.
const RANKED_FOR: i64 = 60;
/// Names that are read from the store at once.
const BATCH: usize = 1000;
/// Characters of a name that go into a label. Issuers and serials are never cut: they tell series apart.
const NAME_LIMIT: usize = 1024;

/// Keeps the labels of the certificates that have series, so that a scrape reads nothing from the store.
#[derive(Default)]
pub(super) struct Series {
    texts: HashMap<RowId, Text>,
    shown: Shown,
    built: Option<Built>,
    listed: Arc<Listed>,
}

/// The certificates that have series, as of one state of the inventory.
#[derive(Default)]
pub(super) struct Listed {
    sources: BTreeMap<Arc<str>, ListedSource>,
    limit: usize,
    shown: Shown,
}

struct ListedSource {
    entries: Vec<Entry>,
    omitted: u64,
}

struct Entry {
    scope: Arc<str>,
    text: Text,
    not_before: Option<Timestamp>,
    not_after: Timestamp,
    kind: Kind,
    status: Status,
}

/// Escaped labels: place, issuer and serial up to `identity`, then the names.
#[derive(Clone)]
struct Text {
    row_digest: u64,
    labels: Arc<str>,
    identity: usize,
    /// Labels of x509-certificate-exporter, where they are shown and nothing before has them.
    x509: Option<Arc<str>>,
}

/// A source and its rows, the most urgent first.
type Ranked = (Arc<str>, Vec<(RowId, Row)>);

#[derive(Clone, Copy, PartialEq, Eq)]
struct Built {
    version: u64,
    limit: usize,
    at: Timestamp,
}

impl Series {
    /// Brings the list up to date with `view`, and reads the names that are not known yet.
    ///
    /// When names cannot be read, their certificates are omitted, which is counted, and the next call tries again.
    pub(super) async fn refresh(
        &mut self,
        view: &View,
        names: &dyn Names,
        limit: usize,
        now: Timestamp,
    ) -> Arc<Listed> {
        let wanted = Built { version: view.version(), limit, at: now };
        self.show(names.shown());
        if self.built.is_some_and(|built| built.serves(wanted)) {
            return Arc::clone(&self.listed);
        }
        let sources: BTreeSet<_> = view.scopes().map(|(_, source, _)| Arc::clone(source)).collect();
        let ranked: Vec<Ranked> = sources
            .into_iter()
            .map(|source| {
                let rows = view.soonest(&source, limit, now).into_iter();
                let rows: Vec<_> = rows.filter_map(|id| Some((id, view.row(id)?))).collect();
                (source, rows)
            })
            .collect();
        let read = self.read_names(ranked.iter().flat_map(|(_, rows)| rows), names).await;
        self.listed = Arc::new(self.list(view, &ranked, limit));
        let kept: HashSet<_> =
            ranked.iter().flat_map(|(_, rows)| rows).map(|(id, _)| *id).collect();
        self.texts.retain(|id, _| kept.contains(id));
        self.built = match read {
            Ok(()) => Some(wanted),
            Err(error) => {
                tracing::warn!(%error, "certificates without names have no series in this scrape");
                None
            }
        };
        Arc::clone(&self.listed)
    }

    /// Forgets every text where other labels are shown, or the configuration says other ones.
    fn show(&mut self, shown: Shown) {
        if self.shown != shown {
            self.texts.clear();
            self.built = None;
            self.shown = shown;
        }
    }

    async fn read_names(
        &mut self,
        rows: impl Iterator<Item = &(RowId, Row)> + Send,
        names: &dyn Names,
    ) -> Result<(), NamesError> {
        let known = |(id, row): &&(RowId, Row)| {
            self.texts.get(id).is_none_or(|text| text.row_digest != row.row_digest)
        };
        let unread: Vec<_> = rows.filter(known).map(|(id, row)| (*id, row.row_digest)).collect();
        for batch in unread.chunks(BATCH) {
            let ids: Vec<_> = batch.iter().map(|(id, _)| *id).collect();
            let facts = names.facts(&ids).await?;
            for ((id, row_digest), facts) in batch.iter().zip(facts) {
                if let Some(facts) = facts {
                    self.texts.insert(*id, Text::of(&facts, *row_digest, &self.shown));
                }
            }
        }
        Ok(())
    }

    fn list(&self, view: &View, ranked: &[Ranked], limit: usize) -> Listed {
        let prefixes: HashMap<ScopeId, Arc<str>> = view
            .scopes()
            .map(|(id, source, scope)| {
                let mut prefix = String::new();
                push_label("source", source, &mut prefix);
                prefix.push(',');
                push_label("scope", scope, &mut prefix);
                (id, Arc::from(prefix))
            })
            .collect();
        let mut sources = BTreeMap::new();
        for (source, rows) in ranked {
            let entries =
                rows.iter().filter_map(|(id, row)| self.entry(*id, row, &prefixes)).collect();
            let entries = distinct(entries);
            let published = u64::try_from(entries.len()).unwrap_or(u64::MAX);
            let omitted = view.dated(source).saturating_sub(published);
            sources.insert(Arc::clone(source), ListedSource { entries, omitted });
        }
        let entries = sources.values_mut().flat_map(|source| &mut source.entries);
        distinct_x509(entries);
        Listed { sources, limit, shown: self.shown.clone() }
    }

    fn entry(&self, id: RowId, row: &Row, prefixes: &HashMap<ScopeId, Arc<str>>) -> Option<Entry> {
        let text = self.texts.get(&id).filter(|text| text.row_digest == row.row_digest)?;
        Some(Entry {
            scope: Arc::clone(prefixes.get(&row.scope)?),
            text: text.clone(),
            not_before: row.not_before,
            not_after: row.not_after?,
            kind: row.kind,
            status: row.status,
        })
    }
}

impl Built {
    fn serves(self, wanted: Self) -> bool {
        let age = wanted.at.since(self.at);
        (self.version, self.limit) == (wanted.version, wanted.limit)
            && (0..RANKED_FOR).contains(&age)
    }
}

impl Text {
    fn of(facts: &Facts, row_digest: u64, shown: &Shown) -> Self {
        let mut labels = String::new();
        push("place", &facts.place, &mut labels);
        push("issuer", &facts.issuer, &mut labels);
        push("cert", &cert(facts), &mut labels);
        let identity = labels.len();
        push("cn", cut(&facts.common_name), &mut labels);
        push("holder", cut(&facts.holder), &mut labels);
        push("unit", cut(&facts.unit), &mut labels);
        for (name, value) in shown.labels.iter().filter_map(|name| facts.labels.get_key_value(name))
        {
            push(&format!("label_{name}"), cut(value), &mut labels);
        }
        let x509 = if shown.x509 { x509::labels(facts).map(Arc::from) } else { None };
        Self { row_digest, labels: Arc::from(labels), identity, x509 }
    }

    fn parts(&self) -> (&str, &str) {
        self.labels.split_at_checked(self.identity).unwrap_or((&self.labels, ""))
    }
}

impl Listed {
    /// Writes the series, and the limit for `configured` sources as well, which may have no certificate yet.
    pub(super) fn write<W: Write>(
        &self,
        configured: &[String],
        now: Timestamp,
        out: &mut Writer<W>,
    ) -> io::Result<()> {
        let entries = || self.sources.values().flat_map(|source| &source.entries);
        out.family(f::CERTIFICATE);
        for entry in entries() {
            let (identity, _) = entry.text.parts();
            out.prepared(&[&entry.scope, identity], Value::Int(entry.not_after.seconds()))?;
        }
        if self.shown.not_before {
            out.family(f::CERTIFICATE_BEGIN);
            for entry in entries() {
                let (identity, _) = entry.text.parts();
                if let Some(begin) = entry.not_before {
                    out.prepared(&[&entry.scope, identity], Value::Int(begin.seconds()))?;
                }
            }
        }
        let kinds = Kind::ALL.map(|kind| format!(",kind=\"{kind}\""));
        let statuses = Status::ALL.map(|status| format!(",status=\"{status}\""));
        out.family(f::CERTIFICATE_INFO);
        for entry in entries() {
            let (identity, names) = entry.text.parts();
            let kind = &kinds[entry.kind as usize];
            let status = &statuses[entry.status as usize];
            out.prepared(&[&entry.scope, identity, kind, names, status], Value::Count(1))?;
        }
        x509::write(|| entries().filter_map(Entry::x509), now, out)?;
        self.write_limits(configured, out)
    }

    /// Returns whether the names of x509-certificate-exporter are shown.
    pub(super) const fn shows_x509(&self) -> bool {
        self.shown.x509
    }

    fn write_limits<W: Write>(&self, configured: &[String], out: &mut Writer<W>) -> io::Result<()> {
        let configured = configured.iter().map(String::as_str);
        let sources: BTreeSet<_> =
            configured.chain(self.sources.keys().map(|name| &**name)).collect();
        let limit = Value::Count(u64::try_from(self.limit).unwrap_or(u64::MAX));
        out.family(f::SERIES_LIMIT);
        for source in sources {
            out.sample(&[("source", source)], limit)?;
        }
        out.family(f::SERIES_OMITTED);
        for (name, source) in &self.sources {
            out.sample(&[("source", name)], Value::Count(source.omitted))?;
        }
        Ok(())
    }
}

impl Entry {
    fn x509(&self) -> Option<x509::Sample<'_>> {
        let labels = self.text.x509.as_deref()?;
        Some(x509::Sample { labels, not_before: self.not_before, not_after: self.not_after })
    }
}

/// Two sources may look at one file: its series come once.
fn distinct_x509<'a>(entries: impl Iterator<Item = &'a mut Entry>) {
    let mut seen = HashSet::new();
    for entry in entries {
        if entry.text.x509.as_ref().is_some_and(|labels| !seen.insert(Arc::clone(labels))) {
            entry.text.x509 = None;
        }
    }
}

/// Appends a label. An empty one is left out, which means the same to Prometheus.
fn push(name: &str, value: &str, labels: &mut String) {
    if !value.is_empty() {
        labels.push(',');
        push_label(name, value, labels);
    }
}

/// Returns what tells the certificate from others of its issuer and place: its serial; with the beginning of its
/// fingerprint where another has that serial.
fn cert(facts: &Facts) -> Cow<'_, str> {
    match facts.fingerprint.filter(|_| facts.collides) {
        None => Cow::Borrowed(&facts.serial),
        Some([a, b, c, d, ..]) => {
            Cow::Owned(format!("{}-{a:02x}{b:02x}{c:02x}{d:02x}", facts.serial))
        }
    }
}

/// Drops all but the first of the entries that share an identity: a series that comes twice spoils the scrape.
fn distinct(mut entries: Vec<Entry>) -> Vec<Entry> {
    let mut seen = HashSet::with_capacity(entries.len());
    let first: Vec<_> =
        entries.iter().map(|entry| seen.insert((&*entry.scope, entry.text.parts().0))).collect();
    let mut first = first.into_iter();
    entries.retain(|_| first.next().unwrap_or(false));
    entries
}

fn cut(text: &str) -> &str {
    let end = text.char_indices().nth(NAME_LIMIT).map_or(text.len(), |(place, _)| place);
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use proptest::prelude::*;

    use super::super::parse::{Family, parse, samples, value};
    use super::super::testing::{Known, Memory, NOW, hostile, view};
    use super::super::writer::Format;
    use super::*;

    const END: &str = "notafter_certificate_not_after_timestamp_seconds";
    const INFO: &str = "notafter_certificate_info";

    fn read(listed: &Listed) -> Vec<Family> {
        let mut out = Writer::new(Vec::new(), Format::Text);
        listed.write(&["idle".to_owned()], NOW, &mut out).unwrap();
        parse(std::str::from_utf8(&out.finish().unwrap()).unwrap(), Format::Text).unwrap()
    }

    fn serials(listed: &Listed) -> Vec<String> {
        let families = read(listed);
        let found = samples(&families, END);
        found.iter().map(|s| s.label("cert").unwrap().to_owned()).collect()
    }

    fn three() -> Vec<Known> {
        [("late", 300), ("soon", 100), ("middle", 200)]
            .map(|(serial, seconds)| Known::new("s", "all", serial).ends_in(seconds))
            .to_vec()
    }

    #[tokio::test]
    async fn the_soonest_have_series_and_the_rest_is_counted() {
        let (known, mut series) = (three(), Series::default());
        let listed = series.refresh(&view(1, &known), &Memory::of(&known), 2, NOW).await;
        assert_eq!(serials(&listed), ["soon", "middle"]);
        let families = read(&listed);
        let of = |name, source| value(&families, name, &[("source", source)]);
        assert_eq!(of("notafter_certificate_series_omitted", "s").as_deref(), Some("1"));
        assert_eq!(of("notafter_certificate_series_limit", "s").as_deref(), Some("2"));
        assert_eq!(of("notafter_certificate_series_limit", "idle").as_deref(), Some("2"));
        assert_eq!(of("notafter_certificate_series_omitted", "idle"), None);
    }

    #[tokio::test]
    async fn names_are_read_once() {
        let (mut known, mut series) = (three(), Series::default());
        let names = Memory::of(&known);
        series.refresh(&view(1, &known), &names, 9, NOW).await;
        series.refresh(&view(1, &known), &names, 9, NOW.plus(59)).await;
        series.refresh(&view(1, &known), &names, 9, NOW.plus(60)).await;
        assert_eq!(names.asked.load(Ordering::SeqCst), 3);
        known[1] = known[1].clone().names("new", "", "");
        names.learn(&known);
        let listed = series.refresh(&view(2, &known), &names, 9, NOW.plus(61)).await;
        assert_eq!(names.asked.load(Ordering::SeqCst), 4);
        let families = read(&listed);
        assert_eq!(
            value(&families, INFO, &[("cert", "soon"), ("cn", "new")]).as_deref(),
            Some("1")
        );
    }

    #[tokio::test]
    async fn the_labels_that_are_asked_for_are_shown_and_no_others() {
        let (mut known, mut series) = (three(), Series::default());
        for one in &mut known {
            one.0.labels = [("team", "iot"), ("env", "prod")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into();
        }
        let mut names = Memory::of(&known);
        let view = view(1, &known);
        let label = |listed: &Listed, name: &str| {
            samples(&read(listed), INFO)[0].label(name).map(str::to_owned)
        };
        let listed = series.refresh(&view, &names, 9, NOW).await;
        assert_eq!(label(&listed, "label_team"), None);
        let labels: Arc<[String]> = ["absent", "team"].map(str::to_owned).into();
        names.shown = Shown { edition: 1, labels, ..Shown::default() };
        let listed = series.refresh(&view, &names, 9, NOW).await;
        assert_eq!(label(&listed, "label_team").as_deref(), Some("iot"));
        assert_eq!((label(&listed, "label_env"), label(&listed, "label_absent")), (None, None));
    }

    #[tokio::test]
    async fn the_ranking_moves_with_time_and_the_limit_at_once() {
        let (known, mut series) = (three(), Series::default());
        let (names, view) = (Memory::of(&known), view(1, &known));
        assert_eq!(serials(&*series.refresh(&view, &names, 1, NOW).await), ["soon"]);
        assert_eq!(serials(&*series.refresh(&view, &names, 2, NOW).await).len(), 2);
        // A month later all of them have ended long ago but for the one that is left to end.
        let later = NOW.plus(30 * 86_400 + 250);
        assert_eq!(serials(&*series.refresh(&view, &names, 1, later).await), ["late"]);
    }

    #[tokio::test]
    async fn a_certificate_that_is_gone_has_no_series_at_once() {
        let (known, mut series) = (three(), Series::default());
        let names = Memory::of(&known);
        series.refresh(&view(1, &known), &names, 9, NOW).await;
        let listed = series.refresh(&view(2, &known[..2]), &names, 9, NOW.plus(1)).await;
        assert_eq!(serials(&listed), ["soon", "late"]);
        assert_eq!(series.texts.len(), 2);
    }

    #[tokio::test]
    async fn a_status_that_the_core_derived_needs_no_store() {
        let (mut known, mut series) = (three(), Series::default());
        let names = Memory::of(&known);
        series.refresh(&view(1, &known), &names, 9, NOW).await;
        known[0] = known[0].clone().status(Status::Superseded);
        let listed = series.refresh(&view(2, &known), &names, 9, NOW).await;
        assert_eq!(names.asked.load(Ordering::SeqCst), 3);
        let families = read(&listed);
        let labels = [("cert", "late"), ("status", "superseded")];
        assert_eq!(value(&families, INFO, &labels).as_deref(), Some("1"));
    }

    #[tokio::test]
    async fn certificates_whose_names_cannot_be_read_are_omitted_until_they_can() {
        let (known, mut series) = (three(), Series::default());
        let names = Memory::of(&known);
        names.fails.store(true, Ordering::SeqCst);
        let listed = series.refresh(&view(1, &known), &names, 9, NOW).await;
        assert_eq!(serials(&listed), Vec::<String>::new());
        let omitted = value(&read(&listed), "notafter_certificate_series_omitted", &[]);
        assert_eq!(omitted.as_deref(), Some("3"));
        names.fails.store(false, Ordering::SeqCst);
        let listed = series.refresh(&view(1, &known), &names, 9, NOW).await;
        assert_eq!(serials(&listed).len(), 3);
    }

    #[tokio::test]
    async fn one_identity_is_one_series_and_an_undated_certificate_is_none() {
        let twin = Known::new("s", "all", "twin").ends_in(5);
        let known = vec![twin.clone(), twin, Known::new("s", "all", "undated").undated()];
        let mut series = Series::default();
        let listed = series.refresh(&view(1, &known), &Memory::of(&known), 9, NOW).await;
        assert_eq!(serials(&listed), ["twin"]);
    }

    #[tokio::test]
    async fn a_place_and_what_tells_two_in_one_place_apart_are_labels() {
        let file = |serial: &str, place: &str, fingerprint: u8, collides| {
            let mut known = Known::new("s", "all", serial);
            known.0.place = place.to_owned();
            known.0.fingerprint = Some([fingerprint; 32]);
            known.0.collides = collides;
            known
        };
        let known = [
            file("1", "/etc/a.pem", 0xAB, false),
            file("1", "/etc/a.pem", 0xCD, true),
            file("1", "/etc/b.pem", 0xAB, false),
            Known::new("s", "all", "2"),
        ];
        let listed = Series::default().refresh(&view(1, &known), &Memory::of(&known), 9, NOW).await;
        let mut out = Writer::new(Vec::new(), Format::Text);
        listed.write(&[], NOW, &mut out).unwrap();
        let text = String::from_utf8(out.finish().unwrap()).unwrap();
        for labels in [
            r#"source="s",scope="all",place="/etc/a.pem",cert="1""#,
            r#"source="s",scope="all",place="/etc/a.pem",cert="1-cdcdcdcd""#,
            r#"source="s",scope="all",place="/etc/b.pem",cert="1""#,
            r#"source="s",scope="all",cert="2""#,
        ] {
            assert!(text.contains(&format!("{END}{{{labels}}} ")), "{labels}\n{text}");
            let info = format!(r#"{INFO}{{{labels},kind="device",status="active"}} 1"#);
            assert!(text.contains(&info), "{info}\n{text}");
        }
    }

    #[test]
    fn of_entries_with_one_identity_the_first_stays() {
        let entry = |serial: &str, scope: &str, seconds| Entry {
            scope: Arc::from(scope),
            text: Text::of(&Known::new("s", scope, serial).0, 0, &Shown::default()),
            not_before: None,
            not_after: NOW.plus(seconds),
            kind: Kind::Device,
            status: Status::Active,
        };
        let left = distinct(vec![entry("a", "x", 1), entry("a", "x", 2), entry("a", "y", 3)]);
        let ends: Vec<_> = left.iter().map(|entry| entry.not_after.since(NOW)).collect();
        assert_eq!(ends, [1, 3]);
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        assert_eq!(cut(&"é".repeat(2000)).chars().count(), NAME_LIMIT);
        assert_eq!(cut("short"), "short");
    }

    proptest! {
        #![proptest_config(crate::property::config())]

        #[test]
        fn hostile_names_round_trip(
            rows in proptest::collection::vec(proptest::array::uniform6(hostile()), 1..8),
        ) {
            let known: Vec<_> = rows
                .iter()
                .enumerate()
                .map(|(index, [scope, issuer, serial, cn, holder, unit])| {
                    Known::new("s\"\\", scope, &format!("{serial}{index}"))
                        .issuer(issuer)
                        .names(cn, holder, unit)
                        .ends_in(i64::try_from(index).unwrap())
                })
                .collect();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let listed = runtime.block_on(async {
                Series::default().refresh(&view(1, &known), &Memory::of(&known), 99, NOW).await
            });
            let families = read(&listed);
            let found = samples(&families, INFO);
            prop_assert_eq!(found.len(), known.len());
            for (sample, Known(facts)) in found.into_iter().zip(&known) {
                let label = |name| sample.label(name).unwrap_or_default();
                prop_assert_eq!(label("source"), facts.source.as_str());
                prop_assert_eq!(label("scope"), facts.scope.as_str());
                prop_assert_eq!(label("issuer"), facts.issuer.as_str());
                prop_assert_eq!(label("cert"), facts.serial.as_str());
                prop_assert_eq!(label("cn"), facts.common_name.as_str());
                prop_assert_eq!(label("holder"), facts.holder.as_str());
                prop_assert_eq!(label("unit"), facts.unit.as_str());
                prop_assert_eq!(label("kind"), "device");
                prop_assert_eq!(label("status"), "active");
            }
        }
    }
}
