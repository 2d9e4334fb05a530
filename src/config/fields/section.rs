//! What mostly the sections of the file itself need.

use std::path::PathBuf;
use std::time::Duration;

use super::Fields;
use crate::config::tree::{Node, Table, Value};
use crate::config::{Environment, Placed, Span, duration};

impl<'a> Fields<'a> {
    /// Returns where the table stands.
    pub fn span(&self) -> Span {
        self.span.clone()
    }

    /// Returns the environment.
    pub(in crate::config) const fn environment(&self) -> &'a Environment {
        self.environment
    }

    /// Begins to read a table inside this one.
    pub(in crate::config) fn inside<'b>(&'b mut self, table: &'b Table, span: Span) -> Fields<'b> {
        Fields::of(table, span, self.environment, self.mistakes)
    }

    /// Returns whether `key`, which is known here, is written, whatever its value.
    pub fn has(&mut self, key: &'static str) -> bool {
        self.read.push(key);
        self.table.0.contains_key(key)
    }

    /// Reports `key` when it is absent; `hint` says what to write.
    pub fn require(&mut self, key: &'static str, hint: &str) {
        if !self.has(key) {
            self.mistake(self.span(), format!("missing key `{key}`{hint}"));
        }
    }

    /// Reads a string that is not empty.
    pub(in crate::config) fn non_empty(&mut self, key: &'static str) -> Option<Placed<String>> {
        if self.has(key) { self.required_string(key) } else { self.string(key) }
    }

    /// Reads a list of strings with the place of each; those that are wrong have been reported.
    pub fn placed_strings(&mut self, key: &'static str) -> Option<Placed<Vec<Placed<String>>>> {
        let node = self.node(key)?;
        let Value::Array(items) = &node.value else {
            self.wrong_type(node, key, "a list of strings, such as `[\"a\", \"b\"]`");
            return None;
        };
        let mut texts = Vec::new();
        for item in items {
            match self.text(item, key, "a string") {
                Some(text) if text.value.trim().is_empty() => {
                    self.mistake(text.span, format!("`{key}` holds an empty string"));
                }
                text => texts.extend(text),
            }
        }
        Some(Placed { value: texts, span: node.span.clone() })
    }

    /// Reads the path of a file, from the root.
    pub(in crate::config) fn absolute(&mut self, key: &'static str) -> Option<Placed<PathBuf>> {
        let text = self.non_empty(key)?;
        if !text.value.starts_with('/') {
            self.mistake(text.span, format!("`{key}` must begin with `/`"));
            return None;
        }
        Some(Placed { value: text.value.into(), span: text.span })
    }

    /// Reads a string or a list of them, none of them empty.
    pub(in crate::config) fn one_or_more(
        &mut self,
        key: &'static str,
    ) -> Option<Vec<Placed<String>>> {
        let node = self.node(key)?;
        if matches!(&node.value, Value::Array(items) if items.is_empty()) {
            let text = format!("`{key}` is an empty list: name something, or leave it out");
            self.mistake(node.span.clone(), text);
        }
        Some(self.texts_in(node, key)).filter(|texts| !texts.is_empty())
    }

    /// Reads a table whose keys are anybody's words: each with a string or a list of them.
    pub(in crate::config) fn words(
        &mut self,
        key: &'static str,
    ) -> Vec<(Placed<String>, Vec<Placed<String>>)> {
        let Some((table, _)) = self.table(key) else { return Vec::new() };
        let mut words = Vec::new();
        for (name, entry) in &table.0 {
            let texts = self.texts_in(&entry.node, name);
            words.push((Placed { value: name.clone(), span: entry.key.clone() }, texts));
        }
        words
    }

    fn texts_in(&mut self, node: &Node, key: &str) -> Vec<Placed<String>> {
        let items = match &node.value {
            Value::Array(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let mut texts = Vec::new();
        for item in items {
            match self.text(item, key, "a string") {
                Some(text) if text.value.trim().is_empty() => {
                    self.mistake(text.span, format!("`{key}` is empty"));
                }
                text => texts.extend(text),
            }
        }
        texts
    }

    /// Returns whether `key` is that word, and reads it if so.
    pub(in crate::config) fn is_word(&mut self, key: &'static str, word: &str) -> bool {
        let node = self.node(key);
        node.is_some_and(|node| matches!(&node.value, Value::String(text) if text == word))
    }

    /// Reads a length of time.
    pub fn duration(&mut self, key: &'static str) -> Option<Placed<Duration>> {
        let text = self.string(key)?;
        match duration(&text.value) {
            Ok(value) => Some(Placed { value, span: text.span }),
            Err(why) => {
                self.mistake(text.span, format!("`{key}`: {why}"));
                None
            }
        }
    }

    /// Reads a number that counts something.
    pub(in crate::config) fn count(&mut self, key: &'static str) -> Option<Placed<usize>> {
        let node = self.node(key)?;
        let Value::Integer(integer) = node.value else {
            self.wrong_type(node, key, "a whole number");
            return None;
        };
        let Some(value) = integer.and_then(|integer| usize::try_from(integer).ok()) else {
            self.mistake(node.span.clone(), format!("`{key}` must be 0 or more"));
            return None;
        };
        Some(Placed { value, span: node.span.clone() })
    }

    /// Reads a whole number of any sign.
    pub fn integer(&mut self, key: &'static str) -> Option<Placed<i64>> {
        let node = self.node(key)?;
        let Value::Integer(Some(integer)) = node.value else {
            self.wrong_type(node, key, "a whole number");
            return None;
        };
        Some(Placed { value: integer, span: node.span.clone() })
    }

    /// Reads a name that must be there and may be a number.
    pub fn required_name(&mut self, key: &'static str) -> Option<Placed<String>> {
        self.require(key, "");
        let is_number = self
            .table
            .0
            .get(key)
            .is_some_and(|entry| matches!(entry.node.value, Value::Integer(_)));
        if is_number {
            let number = self.integer(key)?;
            return Some(Placed { value: number.value.to_string(), span: number.span });
        }
        self.non_empty(key)
    }

    /// Reads `true` or `false`.
    pub(in crate::config) fn boolean(&mut self, key: &'static str) -> Option<bool> {
        let node = self.node(key)?;
        let Value::Boolean(value) = node.value else {
            self.wrong_type(node, key, "`true` or `false`");
            return None;
        };
        Some(value)
    }

    /// Reads a table.
    pub(in crate::config) fn table(&mut self, key: &'static str) -> Option<(&'a Table, Span)> {
        let node = self.node(key)?;
        let Value::Table(table) = &node.value else {
            self.wrong_type(node, key, "a table");
            return None;
        };
        Some((table, node.span.clone()))
    }

    /// Reads a list of tables.
    pub(in crate::config) fn list_of_tables(
        &mut self,
        key: &'static str,
    ) -> Option<Vec<(&'a Table, Span)>> {
        let node = self.node(key)?;
        let Value::Array(items) = &node.value else {
            self.wrong_type(node, key, &format!("a list of tables, each under `[[{key}]]`"));
            return None;
        };
        let mut tables = Vec::new();
        for item in items {
            match &item.value {
                Value::Table(table) => tables.push((table, item.span.clone())),
                _ => self.wrong_type(item, key, "a table"),
            }
        }
        Some(tables)
    }
}
