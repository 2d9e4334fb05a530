//! Reads one table of options, key by key, and reports what is left over.

use url::Url;

use super::{Mistakes, Options, Placed, Secret, Span};

/// Reads one table, key by key. Every method reports its own mistake and goes on.
pub struct Fields<'a> {
    options: &'a Options,
    mistakes: &'a mut Mistakes,
}

impl<'a> Fields<'a> {
    /// Begins to read `options`.
    pub fn new(options: &'a Options, mistakes: &'a mut Mistakes) -> Self {
        Self { options, mistakes }
    }

    /// Reads a string.
    pub fn string(&mut self, key: &'static str) -> Option<Placed<String>> {
        todo!()
    }

    /// Reads a string that must be there and not be empty.
    pub fn required_string(&mut self, key: &'static str) -> Option<Placed<String>> {
        todo!()
    }

    /// Reads a list of strings.
    pub fn strings(&mut self, key: &'static str) -> Option<Placed<Vec<String>>> {
        todo!()
    }

    /// Reads a URL: `https`, or `http` to a loopback host. No user information.
    pub fn url(&mut self, key: &'static str) -> Option<Placed<Url>> {
        todo!()
    }

    /// Reads a positive number of requests a second.
    pub fn rate(&mut self, key: &'static str) -> Option<Placed<f64>> {
        todo!()
    }

    /// Reads a secret: `{ env = … }`, `{ file = … }` or `{ credential = … }`.
    pub fn secret(&mut self, key: &'static str) -> Option<Placed<Secret>> {
        todo!()
    }

    /// Reads a secret that must be there.
    pub fn required_secret(&mut self, key: &'static str) -> Option<Placed<Secret>> {
        todo!()
    }

    /// Reads a table whose values are secrets, such as HTTP headers.
    pub fn secrets(&mut self, key: &'static str) -> Vec<(String, Secret)> {
        todo!()
    }

    /// Reads a list of tables, each a set of strings; unknown keys in them are mistakes.
    pub fn tables(
        &mut self,
        key: &'static str,
        known: &[&'static str],
    ) -> Option<Vec<Placed<std::collections::BTreeMap<String, String>>>> {
        todo!()
    }

    /// Adds a mistake of the kind's own.
    pub fn mistake(&mut self, span: Span, text: impl Into<String>) {
        self.mistakes.push(span, text);
    }

    /// Adds a warning of the kind's own.
    pub fn warn(&mut self, span: Span, text: impl Into<String>) {
        self.mistakes.warn(span, text);
    }

    /// Reports keys that nobody read; `None` when anything in this table was wrong.
    pub fn finish(self) -> Option<()> {
        todo!()
    }
}
