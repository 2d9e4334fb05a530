//! The text as a tree that owns its values and knows where each of them stands.

use std::collections::BTreeMap;
use std::fmt;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::spelling::quoted;
use super::{Mistakes, Span};

/// A table: its keys, sorted, with their values.
#[derive(Clone, Debug, Default)]
pub struct Table(pub(super) BTreeMap<String, Entry>);

impl Table {
    /// Returns whether the key is there, whatever its value.
    pub fn contains_key(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }
}

/// One key and its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: Span,
    pub(super) node: Node,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) span: Span,
}

#[derive(Clone)]
pub(super) enum Value {
    String(String),
    /// `None`: written well and out of range.
    Integer(Option<i64>),
    Float(f64),
    Boolean(bool),
    Datetime,
    Array(Vec<Node>),
    Table(Table),
}

impl Value {
    /// Returns the type as a mistake names it.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::String(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a float",
            Self::Boolean(_) => "a boolean",
            Self::Datetime => "a date",
            Self::Array(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

impl fmt::Debug for Value {
    /// Shows the type alone: a value may be a secret that somebody wrote here by mistake.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Array(nodes) => nodes.fmt(f),
            Self::Table(table) => table.fmt(f),
            other => f.write_str(other.kind()),
        }
    }
}

/// Reads TOML; a syntax error is one mistake, with its place and without the line it stands in.
pub(super) fn parse(text: &str, mistakes: &mut Mistakes) -> Option<Table> {
    match DeTable::parse(text) {
        Ok(root) => Some(table(root.get_ref())),
        Err(error) => {
            let end = text.len();
            let span = error.span().unwrap_or(end..end);
            let key = text.get(span.clone()).filter(|_| error.message() == "duplicate key");
            let which = key.map(|key| format!(" {}", quoted(key))).unwrap_or_default();
            mistakes.push(span, format!("{}{which}", error.message()));
            None
        }
    }
}

fn table(source: &DeTable<'_>) -> Table {
    let entries = source.iter().map(|(key, value)| {
        (key.get_ref().to_string(), Entry { key: key.span(), node: node(value) })
    });
    Table(entries.collect())
}

fn node(source: &Spanned<DeValue<'_>>) -> Node {
    let value = match source.get_ref() {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(integer) => {
            Value::Integer(i64::from_str_radix(integer.as_str(), integer.radix()).ok())
        }
        DeValue::Float(float) => Value::Float(float.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(boolean) => Value::Boolean(*boolean),
        DeValue::Datetime(_) => Value::Datetime,
        DeValue::Array(array) => Value::Array(array.iter().map(node).collect()),
        DeValue::Table(inner) => Value::Table(table(inner)),
    };
    Node { value, span: source.span() }
}
