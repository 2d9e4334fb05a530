//! Mistakes with their places.

use super::Span;

/// One mistake and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where it stands in the text.
    pub span: Span,
    /// What is wrong and what to do. Never quotes a secret.
    pub text: String,
}

/// Every mistake found so far, and every warning.
#[derive(Clone, Debug, Default)]
pub struct Mistakes {
    /// What makes the configuration unusable.
    pub errors: Vec<Mistake>,
    /// What is legal and dangerous.
    pub warnings: Vec<Mistake>,
}

impl Mistakes {
    /// Adds a mistake.
    pub fn push(&mut self, span: Span, text: impl Into<String>) {
        self.errors.push(Mistake { span, text: text.into() });
    }

    /// Adds a warning.
    pub fn warn(&mut self, span: Span, text: impl Into<String>) {
        self.warnings.push(Mistake { span, text: text.into() });
    }
}
