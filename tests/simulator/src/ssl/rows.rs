//! The SSL certificates: a few hundred of them, kept as they are.
//!
//! The first 48 are the cases that a client must get right (cloud-apis.md C.3 – C.5); the others are ordinary.

use crate::clock::beijing;
use crate::fleet::{DAY, Truth};
use crate::random::{mix, word};

/// An SSL certificate.
#[derive(Clone, Debug)]
pub(super) struct Certificate {
    pub id: String,
    pub domain: String,
    pub names: Vec<String>,
    pub alias: String,
    /// `SVR`, `svr` or `CA`.
    pub kind: &'static str,
    pub status: u64,
    pub begin: Time,
    pub end: Time,
    pub ca_ends: Vec<Time>,
    /// When it was applied for, in seconds.
    pub inserted: i64,
    pub uploaded: bool,
    pub project: u64,
    pub ignored: bool,
    /// Links to its renewal.
    pub renew_order: Option<String>,
    pub has_renew_order: String,
    pub hosting_renewal: Option<String>,
    pub hosting_status: i64,
    /// Where the renewal came from.
    pub origin: Option<String>,
}

/// A time, and how the product writes it or writes that there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Time {
    /// `2024-11-06 08:00:00`, always UTC+8.
    At(i64),
    /// `2024-11-06 08:00:0`, as in one of the official samples.
    Sloppy(i64),
    /// With blanks around it.
    Padded(i64),
    Null,
    Empty,
    Dashes,
    Zeros,
}

impl Time {
    /// Returns the second that is meant, if any.
    pub(super) fn seconds(self) -> Option<i64> {
        match self {
            Self::At(seconds) | Self::Sloppy(seconds) | Self::Padded(seconds) => Some(seconds),
            Self::Null | Self::Empty | Self::Dashes | Self::Zeros => None,
        }
    }

    /// Returns what the product writes; `None` is null.
    pub(super) fn text(self) -> Option<String> {
        Some(match self {
            Self::At(seconds) => beijing(seconds),
            Self::Sloppy(seconds) => {
                let mut text = beijing(seconds);
                text.pop();
                text
            }
            Self::Padded(seconds) => format!(" {} ", beijing(seconds)),
            Self::Null => return None,
            Self::Empty => String::new(),
            Self::Dashes => "--".to_owned(),
            Self::Zeros => "0000-00-00 00:00:00".to_owned(),
        })
    }
}

/// Statuses of orders that have no certificate yet.
const NOT_ISSUED: [u64; 8] = [0, 2, 4, 5, 6, 7, 8, 13];

/// Makes the certificates that an account starts with.
pub(super) fn first(seed: u64, now: i64, count: u64) -> Vec<Certificate> {
    let mut all: Vec<Certificate> = (0..count).map(|index| ordinary(seed, now, index)).collect();
    for (index, certificate) in all.iter_mut().enumerate().take(48) {
        make_special(certificate, index, now);
    }
    link_renewals(&mut all, now);
    all
}

/// Makes an issued certificate that ends between 40 days ago and 400 days from now.
pub(super) fn ordinary(seed: u64, now: i64, index: u64) -> Certificate {
    let hash = mix(seed ^ 0x551, index);
    let domain = format!("www{index}.example.com");
    let days = i64::try_from(hash % 440).unwrap_or(0) - 40;
    // Public CAs end certificates at 23:59:59 UTC, which the product writes as 07:59:59.
    let end = (now + days * DAY).div_euclid(DAY) * DAY + DAY - 1;
    Certificate {
        id: word(mix(seed ^ 0x1D, index), 8),
        names: vec![domain.clone(), format!("api{index}.example.com")],
        alias: format!("site {index}"),
        domain,
        kind: if index.is_multiple_of(7) { "svr" } else { "SVR" },
        status: if end <= now { 3 } else { 1 },
        begin: Time::At(end + 1 - 365 * DAY),
        end: Time::At(end),
        ca_ends: Vec::new(),
        inserted: now - 700 * DAY + i64::try_from(index).unwrap_or(0) * 3600,
        uploaded: index.is_multiple_of(3),
        project: index % 3,
        ignored: index.is_multiple_of(11),
        renew_order: None,
        has_renew_order: String::new(),
        hosting_renewal: None,
        hosting_status: -1,
        origin: None,
    }
}

/// A name that is dangerous in a chat message, a label and a page.
const HOSTILE: &str = "prod \"eu\"\n<b>@all</b> [x](http://evil.example/) \u{202e}\\";

/// One of each status, then one of each way to write a time, then CAs.
fn make_special(certificate: &mut Certificate, index: usize, now: i64) {
    let soon = midnight(now) + 20 * DAY;
    let it = certificate;
    match index {
        0..=15 => {
            it.status = index as u64;
            if NOT_ISSUED.contains(&it.status) {
                (it.begin, it.end) = (Time::Null, Time::Null);
            } else {
                it.end = Time::At(if it.status == 3 { soon - 30 * DAY } else { soon });
            }
        }
        16 => (it.status, it.end) = (1, Time::Null),
        17 => (it.status, it.end) = (1, Time::Empty),
        18 => (it.status, it.end) = (1, Time::Dashes),
        19 => (it.status, it.end) = (1, Time::Zeros),
        20 => (it.status, it.end) = (1, Time::Sloppy(soon)),
        21 => (it.status, it.end) = (1, Time::Padded(soon)),
        22 => make_ca(it, vec![Time::At(soon + DAY), Time::At(soon), Time::Null], Time::At(soon)),
        23 => make_ca(it, vec![Time::At(soon + DAY), Time::At(soon + 2 * DAY)], Time::Null),
        24 => make_ca(it, Vec::new(), Time::At(soon)),
        35 => {
            it.alias = String::from(HOSTILE);
            it.status = 1;
            it.end = Time::At(soon);
        }
        _ => {}
    }
}

fn make_ca(it: &mut Certificate, ca_ends: Vec<Time>, end: Time) {
    (it.kind, it.status, it.uploaded) = ("CA", 1, true);
    (it.ca_ends, it.end) = (ca_ends, end);
}

/// 25/26, 27/28, 29/30: renewed in each of the three ways. 31/32: the renewal is not issued. 33/34: the renewal
/// does not cover every name.
fn link_renewals(all: &mut [Certificate], now: i64) {
    for old in [25, 27, 29, 31, 33] {
        let Some([first, second]) = all.get_mut(old..old + 2) else { continue };
        first.status = 1;
        first.end = Time::At(midnight(now) + 5 * DAY);
        second.status = u64::from(old != 31);
        second.end = if old == 31 { Time::Null } else { Time::At(midnight(now) + 380 * DAY) };
        second.begin = if old == 31 { Time::Null } else { Time::At(midnight(now) - DAY) };
        second.domain.clone_from(&first.domain);
        second.names.clone_from(&first.names);
        if old == 33 {
            second.names.truncate(1);
        }
        second.origin = Some(first.id.clone());
        match old {
            27 => first.has_renew_order.clone_from(&second.id),
            29 => {
                first.hosting_renewal = Some(second.id.clone());
                first.hosting_status = 5;
            }
            _ => first.renew_order = Some(second.id.clone()),
        }
    }
}

/// 00:00 in UTC+8 of the day of `now`.
fn midnight(now: i64) -> i64 {
    (now + 8 * 3600).div_euclid(DAY) * DAY - 8 * 3600
}

impl Certificate {
    /// Returns the end that counts: of a bundle of CAs, the first.
    pub(super) fn not_after(&self) -> Option<i64> {
        let of_cas = self.ca_ends.iter().filter_map(|time| time.seconds()).min();
        [self.end.seconds(), of_cas].into_iter().flatten().min()
    }

    /// Returns what an inventory should hold of it.
    pub(super) fn truth(&self) -> Truth {
        Truth {
            issuer: String::new(),
            serial: self.id.clone(),
            not_after: self.not_after(),
            said_not_after: self.end.seconds(),
            status: self.status.to_string(),
            holder: self.domain.clone(),
            common_name: self.domain.clone(),
            unit: String::new(),
        }
    }
}
