//! The fixed words, in both languages.

use super::Language::{self, En, Zh};
use super::Message;
use crate::expiry::certificate::Status;
use crate::expiry::endpoint::InvalidReason;
use crate::expiry::event_kind::EventKind;
use crate::expiry::ladder::Rung;

/// The constant that every message begins with, so that a robot's keyword filter lets all of them pass.
const ENVELOPE: &str = "[notafter]";

pub(super) fn envelope(text: &str) -> String {
    format!("{ENVELOPE} {text}")
}

pub(super) const fn open(language: Language) -> &'static str {
    match language {
        En => "Open",
        Zh => "查看",
    }
}

pub(super) const fn snooze(language: Language) -> &'static str {
    match language {
        En => "Snooze",
        Zh => "暂停提醒",
    }
}

pub(super) fn and_more(count: usize, language: Language) -> String {
    match language {
        En => format!("…and {count} more"),
        Zh => format!("……另有 {count} 条"),
    }
}

pub(super) fn need_attention(count: usize, language: Language) -> String {
    match language {
        En if count == 1 => "1 event needs attention".to_owned(),
        En => format!("{count} events need attention"),
        Zh => format!("{count} 个事件需要处理"),
    }
}

pub(super) const fn renewed(language: Language) -> &'static str {
    match language {
        En => "renewed",
        Zh => "已续期",
    }
}

pub(super) const fn gone(language: Language) -> &'static str {
    match language {
        En => "gone",
        Zh => "已移除",
    }
}

pub(super) const fn test(language: Language) -> &'static str {
    match language {
        En => "test message, this channel works",
        Zh => "测试消息，此通道工作正常",
    }
}

pub(super) const fn canary(language: Language) -> &'static str {
    match language {
        En => "a test: this certificate does not exist",
        Zh => "测试：此证书并不存在",
    }
}

pub(super) const fn deployment_unknown(language: Language) -> &'static str {
    match language {
        En => "not known whether it is deployed",
        Zh => "未知是否已部署",
    }
}

pub(super) const fn served_nowhere(language: Language) -> &'static str {
    match language {
        En => "nowhere that is looked at",
        Zh => "所检查的端点均未使用此证书",
    }
}

/// Returns what to do about an authority that expires before what it signed.
pub(super) const fn renew_authority(language: Language) -> &'static str {
    match language {
        En => {
            "bring a new CA into every trust store, then issue these certificates anew under it: on the day that this one expires \
             all of them stop working"
        }
        Zh => {
            "先将新的 CA 部署到所有信任库，再用它重新签发这些证书：此 CA 到期当天，它们将全部失效"
        }
    }
}

/// Returns what to do about a month in which far more expire than were ever renewed in one.
pub(super) const fn spread_renewals(language: Language) -> &'static str {
    match language {
        En => {
            "renew part of them in the months before, and make sure that the CA, its rate limits and your rollout carry as many"
        }
        Zh => "提前分批续期，并确认签发机构、其频率限制和部署流程能够承受这一数量",
    }
}

/// Returns the line for what had ended long before it was first seen.
pub(super) fn long_ended(count: u64, language: Language) -> String {
    match language {
        En => format!("{} that ended more than 30 days before", counted(count, "certificate")),
        Zh => format!("{count} 张证书在 30 天前早已到期"),
    }
}

pub(super) const fn no_known_end(language: Language) -> &'static str {
    match language {
        En => "has no known notAfter",
        Zh => "到期时间未知",
    }
}

/// Returns `count` of `noun`, an English noun with a regular plural.
pub(super) fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Returns the whole days in a length of time: the one count of days that is said anywhere.
pub(super) const fn whole_days(seconds: u64) -> u64 {
    seconds / 86_400
}

/// Returns a length of time in its largest whole unit, rounded down; under a minute is one minute.
pub(super) fn span(seconds: u64, language: Language) -> String {
    let (count, noun, zh) = match seconds {
        86_400.. => (whole_days(seconds), "day", "天"),
        3600.. => (seconds / 3600, "hour", "小时"),
        _ => ((seconds / 60).max(1), "minute", "分钟"),
    };
    match language {
        En => counted(count, noun),
        Zh => format!("{count} {zh}"),
    }
}

/// Returns what a digest calls the certificates on a rung: `within 7d`.
pub(super) fn within(rung: Rung, language: Language) -> String {
    match (language, rung) {
        (En, Rung::Expired) => "expired".to_owned(),
        (En, rung) => format!("within {}", Message::rung_word(rung)),
        (Zh, Rung::Expired) => "已过期".to_owned(),
        (Zh, Rung::Share(percent)) => format!("剩余寿命 {percent}% 内到期"),
        (Zh, Rung::Before(seconds)) => {
            let units = [(86_400, "天"), (3600, "小时"), (60, "分钟")];
            let whole = units.into_iter().find(|(unit, _)| seconds >= *unit && seconds % unit == 0);
            let (unit, word) = whole.unwrap_or((1, "秒"));
            format!("{} {word}内到期", seconds / unit)
        }
    }
}

/// Returns a line that says what a value is.
pub(super) fn labelled(label: &str, value: &str, language: Language) -> String {
    match language {
        En => format!("{label}: {value}"),
        Zh => format!("{label}：{value}"),
    }
}

pub(super) const fn status(status: Status, language: Language) -> &'static str {
    match (language, status) {
        (En, status) => status.as_str(),
        (Zh, Status::Active) => "使用中",
        (Zh, Status::Inactive) => "未启用",
        (Zh, Status::Pending) => "待启用",
        (Zh, Status::Revoked) => "已吊销",
        (Zh, Status::Superseded) => "已被替换",
        (Zh, Status::Retired) => "已停用",
        (Zh, Status::Undated) => "到期时间未知",
    }
}

/// Returns what a list calls events of a kind.
pub(super) const fn kind(kind: EventKind, language: Language) -> &'static str {
    let (english, chinese) = kind_words(kind);
    match language {
        En => english,
        Zh => chinese,
    }
}

const fn kind_words(kind: EventKind) -> (&'static str, &'static str) {
    match kind {
        EventKind::CertificateExpiring => ("expiring", "将到期"),
        EventKind::CertificateExpired => ("expired", "已过期"),
        EventKind::CertificateNotDeployed => ("issued, not deployed", "新证书未部署"),
        EventKind::CertificateRenewed => ("renewed", "已续期"),
        EventKind::CertificateGone => ("gone", "已移除"),
        EventKind::CaEndsFirst => ("CA expires first", "签发机构先于所签证书到期"),
        EventKind::FleetCliff => ("many expire in one month", "集中到期"),
        EventKind::EndpointInvalid => ("endpoint refused by clients", "端点证书被客户端拒绝"),
        EventKind::EndpointUnreachable => ("endpoint not reachable", "端点无法连接"),
        EventKind::EndpointReachable => ("endpoint reachable again", "端点恢复连接"),
        EventKind::PlaceUnreadable => ("place not readable", "位置无法读取"),
        EventKind::PlaceReadable => ("place readable again", "位置恢复可读"),
        EventKind::SourceStale => ("source without a proven scan", "来源未能完整读取"),
        EventKind::SourceRecovered => ("source recovered", "来源已恢复"),
        EventKind::InventoryShrunk => ("inventory shrunk", "清单骤减"),
        EventKind::InventoryRestored => ("inventory restored", "清单已恢复"),
        EventKind::InventoryContradicts => ("list incomplete", "清单不完整"),
        EventKind::InventoryConsistent => ("list complete again", "清单恢复完整"),
        EventKind::ChannelDown => ("channel down", "通道故障"),
        EventKind::ChannelUp => ("channel up", "通道已恢复"),
        EventKind::NotificationDead => ("message given up", "消息已放弃投递"),
        EventKind::ClockSuspect => ("clock not trusted", "时钟不可信"),
        EventKind::ClockRecovered => ("clock trusted again", "时钟已恢复"),
        EventKind::ClockOffset => ("clocks differ", "时钟有偏差"),
        EventKind::DigestDaily => ("daily digest", "每日摘要"),
        EventKind::Canary => ("canary, a test", "链路测试"),
        EventKind::Test => ("test", "测试"),
    }
}

/// Returns why clients refuse what is served.
pub(super) const fn refused(reason: InvalidReason, language: Language) -> &'static str {
    match (language, reason) {
        (En, InvalidReason::Untrusted) => "no trusted authority has signed it",
        (Zh, InvalidReason::Untrusted) => "不是由受信任的机构签发",
        (En, InvalidReason::NameMismatch) => "the certificate is for other names",
        (Zh, InvalidReason::NameMismatch) => "证书与域名不匹配",
        (En, InvalidReason::Expired) => "the certificate has expired",
        (Zh, InvalidReason::Expired) => "证书已过期",
        (En, InvalidReason::NotYetValid) => "the certificate is not valid yet",
        (Zh, InvalidReason::NotYetValid) => "证书尚未生效",
        (En, InvalidReason::SelfSigned) => "the certificate is self-signed",
        (Zh, InvalidReason::SelfSigned) => "证书是自签名的",
        (En, InvalidReason::ChainIncomplete) => "the chain is incomplete",
        (Zh, InvalidReason::ChainIncomplete) => "证书链不完整",
        (En, InvalidReason::WrongOrder) => "the chain is in the wrong order",
        (Zh, InvalidReason::WrongOrder) => "证书链顺序错误",
    }
}

/// What a line of facts begins with.
#[derive(Clone, Copy)]
pub(super) enum Label {
    CommonName,
    Holder,
    Unit,
    Source,
    Scope,
    /// The scope of an MQTT service.
    Instance,
    Place,
    Fingerprint,
    Labels,
    Newer,
    /// The newer certificate that should be served.
    Undeployed,
    Bound,
    /// Since when that one is valid.
    Since,
    Served,
    Issuer,
    /// The issuer where it is known by the serial of its certificate.
    IssuerSerial,
    Serial,
    NotAfter,
    Leaves,
    /// The certificates that an authority has signed and that expire after it.
    Outliving,
    /// A month in which many expire, and how many do.
    Month,
    Ending,
    MostRenewed,
    Places,
    Successor,
    SuccessorNotAfter,
    LastProven,
    Error,
    Known,
    Missing,
    Channel,
    Code,
    Hint,
    Detail,
    Offset,
}

impl Label {
    pub(super) const fn word(self, language: Language) -> &'static str {
        match language {
            En => self.english(),
            Zh => self.chinese(),
        }
    }

    const fn english(self) -> &'static str {
        match self {
            Self::CommonName => "Common name",
            Self::Holder => "Holder",
            Self::Unit => "Unit",
            Self::Source => "Source",
            Self::Scope | Self::Instance => "Scope",
            Self::Place => "Place",
            Self::Fingerprint => "Fingerprint",
            Self::Labels => "Labels",
            Self::Newer => "Newer certificate",
            Self::Undeployed => "Should be served",
            Self::Bound => "In use at",
            Self::Since => "Not deployed since",
            Self::Served => "Served",
            Self::Issuer | Self::IssuerSerial => "Issuer",
            Self::Serial => "Serial",
            Self::NotAfter => "Expiry",
            Self::Leaves => "Active certificates that expire with it",
            Self::Outliving => "Active certificates that expire after it",
            Self::Month => "Month (UTC)",
            Self::Ending => "Active certificates that expire in it",
            Self::MostRenewed => "Most renewed in one month so far",
            Self::Places => "Places with it",
            Self::Successor => "Successor",
            Self::SuccessorNotAfter => "Successor expires",
            Self::LastProven => "Last proven scan",
            Self::Error => "Last error",
            Self::Known => "Known",
            Self::Missing => "Missing",
            Self::Channel => "Channel",
            Self::Code => "Code",
            Self::Hint => "What to do",
            Self::Detail => "Detail",
            Self::Offset => "Seconds",
        }
    }

    const fn chinese(self) -> &'static str {
        match self {
            Self::CommonName => "通用名称 (CN)",
            Self::Holder => "持有者",
            Self::Unit => "组织单元",
            Self::Source => "来源",
            Self::Scope => "范围",
            Self::Instance => "实例",
            Self::Place => "位置",
            Self::Fingerprint => "指纹",
            Self::Labels => "标签",
            Self::Newer => "较新的证书",
            Self::Undeployed => "应部署的证书",
            Self::Bound => "使用位置",
            Self::Since => "未部署起始时间",
            Self::Served => "部署情况",
            Self::Issuer => "签发者",
            Self::IssuerSerial => "签发 CA 序列号",
            Self::Serial => "序列号",
            Self::NotAfter => "到期时间",
            Self::Leaves => "随之失效的有效证书",
            Self::Outliving => "晚于它到期的有效证书",
            Self::Month => "月份 (UTC)",
            Self::Ending => "当月到期的有效证书",
            Self::MostRenewed => "迄今单月最多续期数",
            Self::Places => "所在位置数",
            Self::Successor => "新证书",
            Self::SuccessorNotAfter => "新的到期时间",
            Self::LastProven => "上次完整读取",
            Self::Error => "最近的错误",
            Self::Known => "已知",
            Self::Missing => "缺失",
            Self::Channel => "通道",
            Self::Code => "代码",
            Self::Hint => "处理办法",
            Self::Detail => "详情",
            Self::Offset => "秒数",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::expiry::event_kind::EVENT_KINDS;

    #[test]
    fn every_kind_has_words_of_its_own_in_both_languages() {
        for language in Language::ALL {
            let words: BTreeSet<_> =
                EVENT_KINDS.into_iter().map(|one| kind(one, language)).collect();
            assert_eq!(words.len(), EVENT_KINDS.len(), "{language:?}");
            assert!(words.iter().all(|word| !word.is_empty()));
        }
        let chinese = |word: &str| word.chars().all(|letter| !letter.is_ascii_alphabetic());
        assert!(EVENT_KINDS.into_iter().all(|one| chinese(kind(one, Zh))));
    }
}
