//! How property tests run. What failed is kept under `tests/`; a case worth keeping becomes a plain test.

use proptest::test_runner::{Config, FileFailurePersistence};

/// Returns the configuration of every property test, with the usual number of cases.
pub(crate) fn config() -> Config {
    let kept = FileFailurePersistence::SourceParallel("tests/proptest-regressions");
    Config { failure_persistence: Some(Box::new(kept)), ..Config::default() }
}

/// Returns the same with another number of cases.
pub(crate) fn cases(cases: u32) -> Config {
    Config { cases, ..config() }
}
