//! One HTTP client for sources and channels: no redirects, capped bodies, errors without URLs.

/// The HTTP client.
#[derive(Clone, Debug)]
pub struct Http;

impl Http {
    /// Placeholder.
    pub fn new() -> Result<Self, String> {
        Ok(Self)
    }
}
