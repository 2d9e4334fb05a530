//! What is said about one event: a headline, one line of a list, lines of facts.

use chrono_tz::Tz;

use super::Language::{self, En, Zh};
use super::manner;
use super::words::{self, Label};
use crate::expiry::absence::Accepted;
use crate::expiry::certificate::{Kind, Status, Timestamp};
use crate::expiry::endpoint::{EndpointNews, Invalid};
use crate::expiry::event::{Event, Newer, Topic};
use crate::expiry::facts::Facts;
use crate::expiry::month::Month;
use crate::expiry::text::inert;

/// The most characters of a name in a headline or an entry.
pub(super) const NAME: usize = 64;
/// The most characters of a fact.
pub(super) const FACT: usize = 128;
/// The most characters of somebody else's sentence.
pub(super) const SENTENCE: usize = 300;
/// The scope of a source that is listed whole.
pub(super) const WHOLE: &str = "all";

/// Returns the name that a reader knows the event's subject by, inert.
pub(super) fn name(event: &Event) -> String {
    match (event.facts(), &event.topic) {
        (Some(facts), _) => certificate_name(facts),
        (
            None,
            Topic::ChannelDown { channel, .. }
            | Topic::ChannelUp { channel }
            | Topic::NotificationDead { channel, .. },
        ) => inert(channel, NAME),
        (None, Topic::DailyDigest(digest)) => inert(&digest.channel, NAME),
        (None, _) => inert(event.source().unwrap_or_default(), NAME),
    }
}

/// Says things in one language and time zone, as they stand at one time.
#[derive(Clone, Copy)]
pub(super) struct Phrases {
    pub(super) language: Language,
    pub(super) zone: Tz,
    pub(super) at: Timestamp,
}

impl Phrases {
    /// Returns one sentence about the event.
    pub(super) fn headline(self, event: &Event) -> String {
        let name = name(event);
        match (&event.topic, self.language) {
            (Topic::Expiring { facts, leaves, .. }, _) => self.expiring(facts, *leaves),
            (Topic::NotDeployed { facts, .. }, _) => self.not_deployed(facts),
            (Topic::EndsFirst { facts, leaves, .. }, _) => self.ends_first(facts, *leaves),
            (Topic::FleetCliff { month, ending, renewed, .. }, _) => {
                self.cliff(&name, *month, *ending, *renewed)
            }
            (Topic::Renewed { .. }, En) => format!("certificate {name} is renewed"),
            (Topic::Renewed { .. }, Zh) => format!("证书 {name} 已续期"),
            (Topic::Gone { .. }, En) => format!("certificate {name} is gone"),
            (Topic::Gone { .. }, Zh) => format!("证书 {name} 已移除"),
            (Topic::NotificationDead { .. }, En) => {
                format!("a message to channel {name} was given up")
            }
            (Topic::NotificationDead { .. }, Zh) => format!("发往通道 {name} 的消息已放弃投递"),
            (Topic::SourceStale { last_proven, .. }, _) => self.stale(&name, *last_proven),
            (Topic::SourceRecovered { .. }, En) => format!("source {name} has a proven scan again"),
            (Topic::SourceRecovered { .. }, Zh) => format!("来源 {name} 已恢复完整读取"),
            (Topic::PlaceUnreadable { place, .. }, En) => {
                format!("source {name} cannot read {}", inert(place, NAME))
            }
            (Topic::PlaceUnreadable { place, .. }, Zh) => {
                format!("来源 {name} 无法读取 {}", inert(place, NAME))
            }
            (Topic::PlaceReadable { place, .. }, En) => {
                format!("source {name} reads {} again", inert(place, NAME))
            }
            (Topic::PlaceReadable { place, .. }, Zh) => {
                format!("来源 {name} 恢复读取 {}", inert(place, NAME))
            }
            (Topic::Endpoint { place, news, .. }, _) => self.endpoint(&name, place, news),
            (Topic::InventoryShrunk { scope, known, missing, .. }, _) => {
                self.shrunk(&place(&name, scope), *known, *missing)
            }
            (Topic::InventoryRestored { scope, accepted, .. }, _) => {
                self.restored(&place(&name, scope), *accepted)
            }
            (Topic::InventoryContradicts { scope, unlisted, .. }, _) => {
                self.contradicts(&place(&name, scope), *unlisted)
            }
            (Topic::InventoryConsistent { scope, .. }, En) => {
                format!("{} lists again what it left out", place(&name, scope))
            }
            (Topic::InventoryConsistent { scope, .. }, Zh) => {
                format!("{} 的清单已恢复完整", place(&name, scope))
            }
            (Topic::ChannelDown { .. }, En) => format!("channel {name} cannot deliver"),
            (Topic::ChannelDown { .. }, Zh) => format!("通道 {name} 无法投递"),
            (Topic::ChannelUp { .. }, En) => format!("channel {name} delivers again"),
            (Topic::ChannelUp { .. }, Zh) => format!("通道 {name} 恢复投递"),
            (Topic::ClockSuspect { .. }, _) => self.suspect().to_owned(),
            (Topic::ClockRecovered, _) => self.trusted_again().to_owned(),
            (Topic::ClockOffset { seconds, .. }, _) => self.offset(&name, *seconds),
            (Topic::DailyDigest(digest), _) => self.daily_headline(digest),
            (Topic::Canary { facts, .. }, _) => self.canary(&name, facts),
            (Topic::Test, _) => words::test(self.language).to_owned(),
        }
    }

    /// Returns one line of a list. It carries one untrusted name, so that stray `*` or `_` cannot pair up.
    pub(super) fn line(self, event: &Event) -> String {
        let Some(facts) = event.facts() else { return self.line_about_us(event) };
        let mut parts = vec![certificate_name(facts)];
        match &event.topic {
            Topic::Renewed { successor_not_after, .. } => {
                parts.push(words::renewed(self.language).to_owned());
                parts.push(self.time(*successor_not_after));
            }
            Topic::Gone { .. } => parts.push(words::gone(self.language).to_owned()),
            _ => {
                parts.push(self.when(facts.not_after));
                parts.extend(facts.not_after.map(|end| self.wall(end)));
            }
        }
        let inside = if facts.place.is_empty() { &facts.scope } else { &facts.place };
        parts.push(place(&inert(&facts.source, NAME), inside));
        parts.extend(self.lines(self.what_to_know(&event.topic)));
        if matches!(facts.status, Status::Inactive | Status::Pending) {
            parts.push(words::status(facts.status, self.language).to_owned());
        }
        if event.is_canary() {
            parts.push(words::canary(self.language).to_owned());
        }
        parts.join(" · ")
    }

    /// Returns what else decides how urgent an end is.
    pub(super) fn what_to_know(self, topic: &Topic) -> Vec<(Label, String)> {
        match topic {
            Topic::Expiring { leaves, newer, unserved, places, .. } => {
                let newer = newer.as_ref().map(|newer| self.newer(newer)).unwrap_or_default();
                let served = if *unserved { words::served_nowhere(self.language) } else { "" };
                vec![
                    (Label::Leaves, number(*leaves)),
                    (Label::Places, number(*places)),
                    (Label::Newer, newer),
                    (Label::Served, served.to_owned()),
                ]
            }
            Topic::NotDeployed { newer, since, bound, .. } => vec![
                (Label::Bound, inert(&bound.join(", "), FACT)),
                (Label::Undeployed, self.newer(newer)),
                (Label::Since, self.time_if(*since)),
            ],
            Topic::EndsFirst { leaves, places, .. } => {
                vec![(Label::Outliving, leaves.to_string()), (Label::Places, number(*places))]
            }
            _ => Vec::new(),
        }
    }

    /// Returns the headline with its reason.
    fn line_about_us(self, event: &Event) -> String {
        let reason = match &event.topic {
            Topic::SourceStale { error, .. } => error.as_deref().unwrap_or_default(),
            Topic::ChannelDown { code, .. } | Topic::NotificationDead { code, .. } => code,
            Topic::ClockSuspect { detail }
            | Topic::Endpoint { news: EndpointNews::Invalid(Invalid { detail, .. }), .. } => detail,
            Topic::Endpoint { news: EndpointNews::Unreachable { error }, .. }
            | Topic::PlaceUnreadable { error, .. } => error,
            _ => "",
        };
        let headline = self.headline(event);
        if reason.is_empty() { headline } else { format!("{headline} · {}", inert(reason, FACT)) }
    }

    pub(super) fn newer(self, newer: &Newer) -> String {
        let mut parts = vec![inert(&newer.serial, NAME)];
        parts.extend(newer.not_after.map(|end| self.wall(end)));
        parts.push(format!("{} / {}", inert(&newer.source, NAME), inert(&newer.place, NAME)));
        if newer.deployment_unknown {
            parts.push(words::deployment_unknown(self.language).to_owned());
        }
        parts.join(", ")
    }

    pub(super) fn wall(self, time: Timestamp) -> String {
        manner::wall(time, self.zone)
    }

    /// Returns a time and how far it is from now.
    pub(super) fn time(self, time: Timestamp) -> String {
        let distance = manner::distance(time, self.at, self.language);
        match self.language {
            En => format!("{}, {distance}", self.wall(time)),
            Zh => format!("{}，{distance}", self.wall(time)),
        }
    }

    pub(super) fn time_if(self, time: Option<Timestamp>) -> String {
        time.map(|time| self.time(time)).unwrap_or_default()
    }

    fn expiring(self, facts: &Facts, leaves: Option<u64>) -> String {
        let (name, when) = (certificate_name(facts), self.when(facts.not_after));
        let is_authority = facts.kind == Kind::Ca;
        match (self.language, leaves.filter(|_| is_authority)) {
            (En, None) if is_authority => format!("CA certificate {name} {when}"),
            (Zh, None) if is_authority => format!("CA 证书 {name} {when}"),
            (En, None) => format!("certificate {name} {when}"),
            (Zh, None) => format!("证书 {name} {when}"),
            (En, Some(leaves)) => {
                format!(
                    "CA certificate {name} {when}, with {}",
                    words::counted(leaves, "active certificate")
                )
            }
            (Zh, Some(leaves)) => format!("CA 证书 {name} {when}，涉及 {leaves} 张有效证书"),
        }
    }

    fn ends_first(self, facts: &Facts, leaves: u64) -> String {
        let (name, when) = (certificate_name(facts), self.when(facts.not_after));
        match self.language {
            En => {
                let leaves = words::counted(leaves, "active certificate");
                format!("CA certificate {name} {when}, before {leaves} that it signed")
            }
            Zh => format!("CA 证书 {name} {when}，早于它签发的 {leaves} 张有效证书"),
        }
    }

    fn cliff(self, name: &str, month: Month, ending: u64, renewed: u64) -> String {
        match self.language {
            En => format!(
                "{ending} active certificates of {name} expire in {month}, the most that were renewed in one month so far is \
                 {renewed}"
            ),
            Zh => format!(
                "来源 {name} 有 {ending} 张有效证书将在 {month} 到期，而迄今单月最多续期 {renewed} 张"
            ),
        }
    }

    fn canary(self, name: &str, facts: &Facts) -> String {
        let when = self.when(facts.not_after);
        match self.language {
            En => format!("test: certificate {name} {when}, nothing needs to be done"),
            Zh => format!("测试：证书 {name} {when}，无需处理"),
        }
    }

    fn not_deployed(self, facts: &Facts) -> String {
        let (name, when) = (certificate_name(facts), self.when(facts.not_after));
        let place = inert(&facts.place, NAME);
        match (self.language, place.is_empty()) {
            (En, false) => {
                format!("certificate {name} {when}, {place} still serves it, not the newer one")
            }
            (Zh, false) => format!("证书 {name} {when}，{place} 仍在使用，新证书未部署"),
            (En, true) => {
                format!("certificate {name} {when} and is still in use, not the newer one")
            }
            (Zh, true) => format!("证书 {name} {when}，仍在使用，新证书未部署"),
        }
    }

    /// Returns when the end is or was, as a verb phrase.
    pub(super) fn when(self, end: Option<Timestamp>) -> String {
        let Some(end) = end else { return words::no_known_end(self.language).to_owned() };
        let seconds = end.since(self.at);
        let span = words::span(seconds.unsigned_abs(), self.language);
        match (self.language, seconds > 0) {
            (En, true) => format!("expires in {span}"),
            (En, false) => format!("expired {span} ago"),
            (Zh, true) => format!("将在 {span}后到期"),
            (Zh, false) => format!("已过期 {span}"),
        }
    }

    fn endpoint(self, name: &str, place: &str, news: &EndpointNews) -> String {
        let place = inert(place, NAME);
        match (news, self.language) {
            (EndpointNews::Invalid(invalid), language) => {
                let why = words::refused(invalid.reason, language);
                match language {
                    En => format!("clients refuse what {place} serves: {why}"),
                    Zh => format!("客户端拒绝 {place} 提供的证书：{why}"),
                }
            }
            (EndpointNews::Unreachable { .. }, En) => format!("source {name} cannot reach {place}"),
            (EndpointNews::Unreachable { .. }, Zh) => format!("来源 {name} 无法连接 {place}"),
            (EndpointNews::Reachable, En) => format!("source {name} reaches {place} again"),
            (EndpointNews::Reachable, Zh) => format!("来源 {name} 恢复连接 {place}"),
        }
    }

    pub(super) fn stale(self, name: &str, last_proven: Option<Timestamp>) -> String {
        match (self.language, last_proven.map(|time| self.wall(time))) {
            (En, Some(time)) => format!("source {name} has no proven scan since {time}"),
            (En, None) => format!("source {name} has never had a proven scan"),
            (Zh, Some(time)) => format!("来源 {name} 自 {time} 起未能完整读取"),
            (Zh, None) => format!("来源 {name} 从未能完整读取"),
        }
    }

    fn shrunk(self, place: &str, known: u64, missing: u64) -> String {
        match self.language {
            En => format!("{place} misses {missing} of {known} certificates, removals are frozen"),
            Zh => format!("{place} 的 {known} 张证书中缺失 {missing} 张，已暂停移除"),
        }
    }

    fn restored(self, place: &str, accepted: Option<Accepted>) -> String {
        match (accepted, self.language) {
            (Some(Accepted { known, missing }), En) => {
                format!(
                    "{missing} of {known} certificates of {place} are gone, accepted after two scans"
                )
            }
            (Some(Accepted { known, missing }), Zh) => {
                format!("{place} 的 {known} 张证书中 {missing} 张已消失，两次扫描一致，已接受")
            }
            (None, En) => format!("{place} agrees with its provider again"),
            (None, Zh) => format!("{place} 与云端重新一致"),
        }
    }

    fn contradicts(self, place: &str, unlisted: u64) -> String {
        match self.language {
            En => {
                let unlisted = words::counted(unlisted, "certificate");
                format!(
                    "{place} leaves {unlisted} out of its list that it has when asked, nothing is removed"
                )
            }
            Zh => format!("{place} 的清单缺少 {unlisted} 张证书，但单独查询时存在，未移除"),
        }
    }

    const fn suspect(self) -> &'static str {
        match self.language {
            En => "the clock of this machine cannot be trusted, nothing is evaluated",
            Zh => "本机时钟不可信，已停止判断到期",
        }
    }

    const fn trusted_again(self) -> &'static str {
        match self.language {
            En => "the clock of this machine can be trusted again",
            Zh => "本机时钟恢复可信",
        }
    }

    fn offset(self, name: &str, seconds: i64) -> String {
        let span = seconds.unsigned_abs();
        match (self.language, seconds > 0) {
            (En, true) => format!("the clock of {name} is {span} s ahead of ours"),
            (En, false) => format!("the clock of {name} is {span} s behind ours"),
            (Zh, true) => format!("{name} 的时钟比本机快 {span} 秒"),
            (Zh, false) => format!("{name} 的时钟比本机慢 {span} 秒"),
        }
    }
}

/// Returns the first of common name, holder and serial that is there, inert.
pub(super) fn certificate_name(facts: &Facts) -> String {
    let known = [&facts.common_name, &facts.holder, &facts.serial];
    let name = known.into_iter().find(|name| !name.trim().is_empty());
    inert(name.map_or("", |name| name.as_str()), NAME)
}

pub(super) fn number(count: Option<u64>) -> String {
    count.map(|count| count.to_string()).unwrap_or_default()
}

/// Returns a source, already inert, and its scope. The scope of a source that has one only says nothing.
pub(super) fn place(source: &str, scope: &str) -> String {
    match scope {
        WHOLE => source.to_owned(),
        scope => format!("{source} / {}", inert(scope, NAME)),
    }
}
