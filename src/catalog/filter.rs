//! What can be asked for, as it is written in a query.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate};
use roaring::RoaringBitmap;

use super::Moment;
use super::pattern::Pattern;
use crate::config;
use crate::expiry::{
    IdPrefix, Kind, Order, RowId, Rung, ScopeId, Selection, SortBy, Status, Timestamp, View,
};
use crate::store::Kept;

/// Every parameter of a list of certificates.
pub const PARAMETERS: [&str; 20] = [
    "source",
    "scope",
    "place",
    "issuer",
    "serial",
    "organizational_unit",
    "kind",
    "status",
    "rung",
    "ends_from",
    "ends_to",
    "within",
    "undated",
    "not_deployed",
    "snoozed",
    "label",
    "q",
    "sort",
    "limit",
    "cursor",
];

/// Certificates in a page where nobody says.
const USUAL_PAGE: usize = 100;

/// Certificates in a page at most.
const LONGEST_PAGE: usize = 1000;

/// Digits of an id that it is found by; fewer would find many by chance.
pub(super) const SHORTEST_ID: usize = 8;

/// What is wrong with a parameter, and what it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The parameter.
    pub parameter: String,
    /// What is wrong.
    pub detail: String,
}

/// A question for a page of certificates.
#[derive(Clone, Debug)]
pub struct Query {
    /// Which certificates.
    pub filter: Filter,
    pub(super) sort: Sort,
    /// How many at once.
    pub limit: usize,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

/// What certificates are asked for. Everything that is said must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub(super) source: Option<Pattern>,
    pub(super) scope: Option<Pattern>,
    place: Option<Pattern>,
    issuer: Option<Pattern>,
    serial: Option<Pattern>,
    unit: Option<Pattern>,
    kind: Option<Kind>,
    status: Option<Status>,
    rung: Option<Rung>,
    ends_from: Option<Timestamp>,
    ends_to: Option<Timestamp>,
    /// In seconds.
    within: Option<i64>,
    undated: Option<bool>,
    not_deployed: Option<bool>,
    snoozed: Option<bool>,
    labels: Vec<(String, Pattern)>,
    /// A part of a name, in small letters.
    pub(super) part: Option<String>,
}

/// What decides the order, before it is known what time it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sort {
    key: Key,
    descending: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    NotAfter,
    Urgency,
    Kind,
    Status,
    Source,
    Name,
}

const SORTS: [(&str, Key); 6] = [
    ("not_after", Key::NotAfter),
    ("urgency", Key::Urgency),
    ("kind", Key::Kind),
    ("status", Key::Status),
    ("source", Key::Source),
    ("name", Key::Name),
];

impl Default for Query {
    fn default() -> Self {
        let sort = Sort { key: Key::NotAfter, descending: false };
        Self { filter: Filter::default(), sort, limit: USUAL_PAGE, cursor: None }
    }
}

impl Query {
    /// Reads the parameters of a query. One that is empty says nothing, as forms send it; none may be there twice.
    pub fn read<'a>(
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Mistake> {
        let (mut query, mut seen) = (Self::default(), BTreeSet::new());
        for (name, value) in parameters {
            // A certificate may be asked for by several labels.
            if !seen.insert(name) && name != "label" {
                return Err(mistake(name, "it may be there once"));
            }
            query.take(name, value)?;
        }
        Ok(query)
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), Mistake> {
        let is_empty = value.is_empty() && PARAMETERS.contains(&name);
        match name {
            _ if is_empty => {}
            "sort" => self.sort = Sort::read(value)?,
            "limit" => self.limit = limit(value)?,
            "cursor" => self.cursor = Some(value.to_owned()),
            _ => self.filter.take(name, value)?,
        }
        Ok(())
    }

    /// Returns whether they are to stand in the order of their names, which no column tells.
    pub(super) fn is_by_name(&self) -> bool {
        self.sort.key == Key::Name
    }

    /// Returns whether the order is turned round.
    pub(super) const fn is_turned_round(&self) -> bool {
        self.sort.descending
    }

    /// Returns the order at a time, as far as the columns tell it.
    pub(super) fn order(&self, now: Timestamp) -> Order {
        let by = match self.sort.key {
            Key::NotAfter | Key::Name => SortBy::NotAfter,
            Key::Urgency => SortBy::Urgency(now),
            Key::Kind => SortBy::Kind,
            Key::Status => SortBy::Status,
            Key::Source => SortBy::Source,
        };
        Order { by, descending: self.sort.descending }
    }
}

impl Sort {
    fn read(value: &str) -> Result<Self, Mistake> {
        let (name, descending) =
            value.strip_prefix('-').map_or((value, false), |name| (name, true));
        let known = SORTS.iter().find(|(known, _)| *known == name);
        known.map(|(_, key)| Self { key: *key, descending }).ok_or_else(|| {
            let names = SORTS.map(|(name, _)| name).join("`, `");
            mistake("sort", &format!("it is one of `{names}`, with `-` before it to turn it round"))
        })
    }
}

impl Filter {
    /// Returns the filter for those in one status.
    pub(super) fn with_status(status: Status) -> Self {
        Self { status: Some(status), ..Self::default() }
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), Mistake> {
        let pattern = || Some(Pattern::new(value.to_owned()));
        match name {
            "source" => self.source = pattern(),
            "scope" => self.scope = pattern(),
            "place" => self.place = pattern(),
            "issuer" => self.issuer = pattern(),
            "serial" => self.serial = pattern(),
            "organizational_unit" => self.unit = pattern(),
            "kind" => self.kind = Some(kind(value)?),
            "status" => self.status = Some(status(value)?),
            "rung" => self.rung = Some(rung(value)?),
            "ends_from" => self.ends_from = Some(time(name, value)?.0),
            "ends_to" => self.ends_to = Some(time(name, value)?.1),
            "within" => self.within = Some(length(value)?),
            "undated" => self.undated = Some(yes_or_no(name, value)?),
            "not_deployed" => self.not_deployed = Some(yes_or_no(name, value)?),
            "snoozed" => self.snoozed = Some(yes_or_no(name, value)?),
            "label" => self.labels.push(label(value)?),
            "q" => self.part = Some(value.trim().to_lowercase()).filter(|part| !part.is_empty()),
            _ => return Err(unknown(name)),
        }
        Ok(())
    }

    /// Returns what of it the columns tell.
    pub(super) fn selection(&self, moment: &Moment) -> Selection {
        let Moment { view, config, now, .. } = moment;
        let named = |pattern: &Option<Pattern>, name: &str| {
            pattern.as_ref().is_none_or(|pattern| pattern.matches(name))
        };
        let scopes: BTreeSet<ScopeId> = view
            .scopes()
            .filter(|(_, source, scope)| named(&self.source, source) && named(&self.scope, scope))
            .map(|(id, ..)| id)
            .collect();
        let all = self.source.is_none() && self.scope.is_none();
        Selection {
            scopes: (!all).then_some(scopes),
            kind: self.kind,
            status: self.status,
            ends: self.ends(*now),
            undated: self.undated,
            rung: self.rung.map(|rung| (config.alerts.ladders.clone(), rung, *now)),
            among: both(
                self.not_deployed.map(|wanted| not_deployed(view, wanted)),
                self.may_be_snoozed(moment),
            ),
        }
    }

    fn ends(&self, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let within = self.within.map(|seconds| now.plus(seconds));
        let to = [self.ends_to, within].into_iter().flatten().min();
        let said = self.ends_from.is_some() || to.is_some();
        let from = self.ends_from.unwrap_or(Timestamp::from_seconds(i64::MIN));
        said.then(|| (from, to.unwrap_or(Timestamp::from_seconds(i64::MAX))))
    }

    /// Returns whether the columns alone tell which certificates it chooses.
    pub(super) fn is_of_columns(&self) -> bool {
        let texts = [&self.place, &self.issuer, &self.serial, &self.unit];
        let unnamed = self.labels.is_empty() && self.part.is_none() && self.snoozed.is_none();
        unnamed && texts.iter().all(|pattern| pattern.is_none())
    }

    /// Returns whether a certificate is chosen as far as its texts tell.
    pub(super) fn matches(&self, kept: &Kept) -> bool {
        let facts = &kept.facts;
        let patterns = [
            (&self.place, &facts.place),
            (&self.issuer, &facts.issuer),
            (&self.serial, &facts.serial),
            (&self.unit, &facts.unit),
        ];
        patterns
            .into_iter()
            .all(|(pattern, text)| pattern.as_ref().is_none_or(|pattern| pattern.matches(text)))
            && self.part.as_ref().is_none_or(|part| is_called(kept, part))
            && self.labels.iter().all(|(name, pattern)| {
                facts.labels.get(name).is_some_and(|value| pattern.matches(value))
            })
    }

    /// Returns whether a certificate is chosen by whether it is snoozed.
    pub(super) fn is_as_quiet(&self, moment: &Moment, row: RowId, kept: &Kept) -> bool {
        self.snoozed.is_none_or(|wanted| {
            let rung = moment.view.rung(row, &moment.config.alerts.ladders, moment.now);
            moment.snoozes.until(&kept.facts, rung, moment.now).is_some() == wanted
        })
    }

    /// Returns which alone may be snoozed, where those are asked for and no snooze is by match.
    fn may_be_snoozed(&self, moment: &Moment) -> Option<RoaringBitmap> {
        let is_narrow = self.snoozed == Some(true) && !moment.snoozes.has_matches();
        is_narrow.then(|| {
            let known = moment.snoozes.of_certificates().filter_map(|(_, one)| {
                let id = IdPrefix::parse(&one.id)?;
                let same = moment.view.id(one.row).is_some_and(|id| id == one.id);
                let found = || moment.view.find_ids(id, 1).into_iter().next();
                if same { Some(one.row) } else { found() }
            });
            known.map(|row| row.0).collect()
        })
    }

    /// Returns the parts of names that everything it chooses has, in small letters.
    pub(super) fn parts(&self) -> Vec<String> {
        let of_patterns = [&self.serial, &self.place].into_iter().flatten().map(Pattern::part);
        self.part.clone().into_iter().chain(of_patterns).collect()
    }

    /// Returns what tells a question from another: a cursor is good for one.
    pub(super) fn describe(&self) -> String {
        format!("{self:?}")
    }
}

/// Returns whether a certificate has a name with this part, or an id that begins with it.
fn is_called(kept: &Kept, part: &str) -> bool {
    let id = || part.len() >= SHORTEST_ID && kept.facts.id().starts_with(part);
    kept.is_named(part) || id()
}

/// Returns those that are in both, where there are two.
fn both(one: Option<RoaringBitmap>, other: Option<RoaringBitmap>) -> Option<RoaringBitmap> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one & other),
        (one, other) => one.or(other),
    }
}

/// Returns those that are served although a newer one is known, or all others.
fn not_deployed(view: &View, wanted: bool) -> RoaringBitmap {
    let served: RoaringBitmap = view.undeployed().keys().map(|row| row.0).collect();
    if wanted {
        return served;
    }
    let mut others = RoaringBitmap::new();
    others.insert_range(0..view.bound());
    others - served
}

fn mistake(parameter: &str, detail: &str) -> Mistake {
    Mistake { parameter: parameter.to_owned(), detail: detail.to_owned() }
}

fn unknown(name: &str) -> Mistake {
    mistake(name, &format!("it is none of `{}`", PARAMETERS.join("`, `")))
}

fn kind(value: &str) -> Result<Kind, Mistake> {
    let words = Kind::ALL.map(Kind::as_str).join("`, `");
    Kind::from_word(value).ok_or_else(|| mistake("kind", &format!("it is one of `{words}`")))
}

fn status(value: &str) -> Result<Status, Mistake> {
    let words = Status::ALL.map(Status::as_str).join("`, `");
    Status::from_word(value).ok_or_else(|| mistake("status", &format!("it is one of `{words}`")))
}

fn rung(value: &str) -> Result<Rung, Mistake> {
    let form = "it is a rung of the ladder, such as `30d` or `expired`";
    Rung::from_label(value).ok_or_else(|| mistake("rung", form))
}

fn label(value: &str) -> Result<(String, Pattern), Mistake> {
    let form = || mistake("label", "it is a name and a value, such as `team:iot`");
    let (name, value) = value.split_once(':').ok_or_else(form)?;
    Ok((name.to_owned(), Pattern::new(value.to_owned())))
}

fn limit(value: &str) -> Result<usize, Mistake> {
    let known = value.parse().ok().filter(|limit| (1..=LONGEST_PAGE).contains(limit));
    let plain = value.bytes().all(|byte| byte.is_ascii_digit());
    let form = format!("it is a whole number from 1 to {LONGEST_PAGE}");
    known.filter(|_| plain).ok_or_else(|| mistake("limit", &form))
}

fn yes_or_no(name: &str, value: &str) -> Result<bool, Mistake> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(mistake(name, "it is `true` or `false`")),
    }
}

fn length(value: &str) -> Result<i64, Mistake> {
    // One number and one unit, as the description of the API has it.
    let is_plain = value.len() <= 7
        && value.strip_suffix(['s', 'm', 'h', 'd', 'w']).is_some_and(|digits| {
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        });
    let length = config::duration(value).map_err(|error| mistake("within", &error))?;
    if !is_plain {
        return Err(mistake("within", "it is a number and one of `s m h d w`, such as `30d`"));
    }
    Ok(i64::try_from(length.as_secs()).unwrap_or(i64::MAX))
}

/// Reads a time, or a day, which has a first and a last second.
fn time(name: &str, value: &str) -> Result<(Timestamp, Timestamp), Mistake> {
    if let Ok(time) = DateTime::parse_from_rfc3339(value) {
        let at = Timestamp::from_seconds(time.timestamp());
        return Ok((at, at));
    }
    let plain =
        value.len() == 10 && value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let day = plain.then(|| NaiveDate::parse_from_str(value, "%Y-%m-%d").ok()).flatten();
    let midnight = day.and_then(|day| day.and_hms_opt(0, 0, 0)).map(|time| time.and_utc());
    let first = midnight.map(|time| Timestamp::from_seconds(time.timestamp()));
    let form = "it is a day such as `2027-01-31`, or a time such as `2027-01-31T08:00:00Z`";
    first.map(|first| (first, first.plus(86_399))).ok_or_else(|| mistake(name, form))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parameters: &[(&str, &str)]) -> Result<Query, String> {
        let query = Query::read(parameters.iter().copied());
        query.map_err(|mistake| format!("{}: {}", mistake.parameter, mistake.detail))
    }

    #[test]
    fn every_parameter_is_read_and_an_empty_one_says_nothing() {
        let empty: Vec<_> = PARAMETERS.iter().map(|name| (*name, "")).collect();
        let query = read(&empty).unwrap();
        assert_eq!((query.filter, query.limit, query.cursor), (Filter::default(), 100, None));
        let query = read(&[("q", " Ab "), ("sort", "-status"), ("limit", "1000")]).unwrap();
        assert_eq!(query.filter.part.as_deref(), Some("ab"));
        assert_eq!(
            query.order(Timestamp::from_seconds(0)),
            Order { by: SortBy::Status, descending: true }
        );
        assert_eq!(query.limit, 1000);
    }

    #[test]
    fn a_day_is_whole_and_the_narrower_of_two_ends_holds() {
        let now = Timestamp::from_seconds(0);
        let ends = |parameters: &[(&str, &str)]| {
            let ends = read(parameters).unwrap().filter.ends(now);
            ends.map(|(from, to)| (from.seconds(), to.seconds()))
        };
        assert_eq!(ends(&[]), None);
        let day = [("ends_from", "1970-01-02"), ("ends_to", "1970-01-02")];
        assert_eq!(ends(&day), Some((86_400, 172_799)));
        assert_eq!(ends(&[("within", "1h")]), Some((i64::MIN, 3600)));
        let both = [("within", "1h"), ("ends_to", "1970-01-01T01:30:00+01:00")];
        assert_eq!(ends(&both), Some((i64::MIN, 1800)));
    }

    #[test]
    fn a_mistake_says_what_may_be_there() {
        for (name, value, part) in [
            ("kind", "x", "`device`, `ca`, `server`, `client`"),
            ("status", "expired", "`undated`"),
            ("rung", "soon", "`30d` or `expired`"),
            ("limit", "0", "from 1 to 1000"),
            ("limit", "+7", "from 1 to 1000"),
            ("limit", "1001", "from 1 to 1000"),
            ("undated", "yes", "`true` or `false`"),
            ("within", "x", "not a duration"),
            ("ends_to", "2027-13-01", "a day such as"),
            ("ends_from", "+2027-1-01", "a day such as"),
            ("sort", "colour", "`not_after`, `urgency`"),
            ("label", "team", "such as `team:iot`"),
            ("colour", "", "it is none of `source`"),
        ] {
            let mistake = read(&[(name, value)]).unwrap_err();
            assert!(mistake.starts_with(name) && mistake.contains(part), "{mistake}");
        }
        assert!(read(&[("q", "a"), ("q", "b")]).unwrap_err().contains("once"));
    }
}
