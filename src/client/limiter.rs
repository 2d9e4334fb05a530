//! Request rates, shared by all sources with the same account, region and action.

/// Every limiter of the process, by account, region and action.
#[derive(Clone, Debug, Default)]
pub struct Limiters;
