//! How small closed sets are written as numbers. Written numbers never change their meaning.

use crate::expiry::{Kind, Rung, Status};

/// Returns the number of a kind.
pub(super) const fn of_kind(kind: Kind) -> i64 {
    match kind {
        Kind::Device => 0,
        Kind::Ca => 1,
        Kind::Server => 2,
        Kind::Client => 3,
    }
}

/// Returns the kind with this number.
pub(super) fn kind(code: i64) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| of_kind(*kind) == code)
}

/// Returns the number of a status.
pub(super) const fn of_status(status: Status) -> i64 {
    match status {
        Status::Active => 0,
        Status::Inactive => 1,
        Status::Pending => 2,
        Status::Revoked => 3,
        Status::Superseded => 4,
        Status::Retired => 5,
        Status::Undated => 6,
    }
}

/// Returns the status with this number.
pub(super) fn status(code: i64) -> Option<Status> {
    Status::ALL.into_iter().find(|status| of_status(*status) == code)
}

/// Returns the number of a rung: seconds before the end; 0 is the end itself.
pub(super) const fn of_rung(rung: Rung) -> u32 {
    rung.code()
}

/// Returns the rung with this number.
pub(super) const fn rung(code: u32) -> Rung {
    Rung::from_code(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_means_what_it_meant() {
        let kinds: Vec<_> = (0..5).map(|code| kind(code).map(Kind::as_str)).collect();
        assert_eq!(kinds, [Some("device"), Some("ca"), Some("server"), Some("client"), None]);
        let statuses: Vec<_> =
            (0..8).map(|code| status(code).map_or("-", Status::as_str)).collect();
        assert_eq!(
            statuses,
            ["active", "inactive", "pending", "revoked", "superseded", "retired", "undated", "-"]
        );
        assert_eq!((kind(-1), status(-1)), (None, None));
        assert_eq!((rung(0), of_rung(Rung::Expired)), (Rung::Expired, 0));
        assert_eq!((rung(86_400), of_rung(Rung::Before(86_400))), (Rung::Before(86_400), 86_400));
    }
}
