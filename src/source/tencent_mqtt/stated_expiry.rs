//! Whether the end that a provider states for a certificate is the one in the certificate itself.
//!
//! A provider may state it in another unit or zone than its documentation says; the certificate cannot.

use std::fmt;

use crate::expiry::Timestamp;

const HOUR: i64 = 3600;

/// Zones reach from 12 hours behind to 14 hours ahead.
const ZONES: std::ops::RangeInclusive<i64> = -12..=14;

/// How a stated end and the one in the certificate relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Agreement {
    /// They are the same.
    Same,
    /// The certificate cannot be read: not known.
    Unknown,
    /// The stated one is in another unit: milliseconds for seconds, or the other way round.
    Unit,
    /// The stated one is off by whole hours, as local time that is taken for UTC is.
    Zone {
        /// How many.
        hours: i64,
    },
    /// The stated one is another time altogether.
    Other {
        /// How many seconds later it is.
        seconds: i64,
    },
}

impl Agreement {
    /// Compares a stated end with the one in the certificate, if that could be read.
    pub(super) fn of(stated: Timestamp, certified: Option<Timestamp>) -> Self {
        let Some(certified) = certified else { return Self::Unknown };
        let seconds = stated.since(certified);
        let is_times = |one: Timestamp, other: Timestamp| {
            one.seconds() != 0 && one.seconds() == other.seconds() / 1000
        };
        if seconds == 0 {
            Self::Same
        } else if is_times(stated, certified) || is_times(certified, stated) {
            Self::Unit
        } else if seconds % HOUR == 0 && ZONES.contains(&(seconds / HOUR)) {
            Self::Zone { hours: seconds / HOUR }
        } else {
            Self::Other { seconds }
        }
    }
}

impl fmt::Display for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same => f.write_str("the stated end is that of the certificate"),
            Self::Unknown => f.write_str("the certificate cannot be read"),
            Self::Unit => f.write_str("the stated end is in another unit than documented"),
            Self::Zone { hours } => write!(f, "the stated end is {hours} hours off: another zone"),
            Self::Other { seconds } => {
                write!(f, "the stated end is {seconds} seconds after that of the certificate")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509;

    #[test]
    fn what_ends_tell_of_each_other() {
        const END: i64 = 2_051_827_200;
        for (stated, expected, text) in [
            (END, Agreement::Same, "the stated end is that of the certificate"),
            (END * 1000, Agreement::Unit, "the stated end is in another unit than documented"),
            (
                END * 1000 + 999,
                Agreement::Unit,
                "the stated end is in another unit than documented",
            ),
            (END / 1000, Agreement::Unit, "the stated end is in another unit than documented"),
            (
                END + 8 * HOUR,
                Agreement::Zone { hours: 8 },
                "the stated end is 8 hours off: another zone",
            ),
            (
                END - 12 * HOUR,
                Agreement::Zone { hours: -12 },
                "the stated end is -12 hours off: another zone",
            ),
            (
                END + 15 * HOUR,
                Agreement::Other { seconds: 54_000 },
                "the stated end is 54000 seconds after that of the certificate",
            ),
            (
                END - 1,
                Agreement::Other { seconds: -1 },
                "the stated end is -1 seconds after that of the certificate",
            ),
        ] {
            let certified = Some(Timestamp::from_seconds(END));
            let agreement = Agreement::of(Timestamp::from_seconds(stated), certified);
            assert_eq!((agreement, agreement.to_string().as_str()), (expected, text), "{stated}");
        }
        assert_eq!(Agreement::of(Timestamp::from_seconds(END), None), Agreement::Unknown);
    }

    #[test]
    fn a_certificate_tells_its_own_end() {
        let mut params = rcgen::CertificateParams::new(vec!["a".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2035, 1, 8);
        let pem = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem();
        let certified = x509::first_end_in_pem(&pem);
        let stated = Timestamp::from_millis(2_051_827_200_000);
        assert_eq!(Agreement::of(stated, certified), Agreement::Same);
        assert_eq!(Agreement::of(stated.plus(8 * HOUR), certified), Agreement::Zone { hours: 8 });
    }
}
