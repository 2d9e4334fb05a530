//! Randomness, which comes in as an argument.

/// Gives out ids and random fractions.
pub trait Random: Send + Sync {
    /// Returns a new id for a batch that is frozen at `millis` after the epoch.
    fn batch_id(&self, millis: i64) -> String;

    /// Returns a fraction from 0 up to, and not with, 1.
    fn fraction(&self) -> f64;
}

/// The randomness of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    /// Returns a `UUIDv7`: ids of one channel sort by time.
    fn batch_id(&self, millis: i64) -> String {
        let millis = u64::try_from(millis).unwrap_or(0);
        let id = uuid::Builder::from_unix_timestamp_millis(millis, &rand::random());
        id.into_uuid().to_string()
    }

    fn fraction(&self) -> f64 {
        rand::random()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_sort_by_time() {
        let ids = [1_767_225_600_000, 1_767_225_600_001, 1_767_225_700_000]
            .map(|millis| SystemRandom.batch_id(millis));
        assert!(ids.is_sorted(), "{ids:?}");
        assert_ne!(SystemRandom.batch_id(5), SystemRandom.batch_id(5));
        let uuid = uuid::Uuid::parse_str(&ids[0]).unwrap();
        assert_eq!(uuid.get_version_num(), 7);
    }
}
