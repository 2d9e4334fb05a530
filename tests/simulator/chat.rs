//! Placeholder for the chat services.

/// The chat services.
#[derive(Default)]
pub struct Chat {
    router: axum::Router,
}

impl Chat {
    /// Returns the chat services.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns their routes.
    pub fn router(&self) -> axum::Router {
        self.router.clone()
    }
}
