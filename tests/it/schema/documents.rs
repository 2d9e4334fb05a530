//! Small configurations around each table of the schema.

use serde_json::Value as Schema;
use toml::{Table, Value};

use super::SAMPLE;

/// One step into a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    First,
}

/// A table that has some keys and no others, and a document that may hold it.
#[derive(Clone)]
pub(super) struct Place<'a> {
    pub(super) path: Vec<Step>,
    pub(super) schema: &'a Schema,
    document: Table,
}

impl Place<'_> {
    /// Returns the document after `change` of this table, which is there then.
    pub(super) fn with(&self, change: impl FnOnce(&mut Table)) -> String {
        let mut document = Value::Table(self.document.clone());
        let mut at = &mut document;
        for step in &self.path {
            at = into(at, step);
        }
        change(as_table(at));
        toml::to_string(&document).unwrap()
    }

    pub(super) fn keys(&self) -> Vec<String> {
        self.schema["properties"].as_object().unwrap().keys().cloned().collect()
    }

    /// Returns what the sample has here under `key`, switched on or off.
    pub(super) fn sample(&self, key: &str) -> Option<Value> {
        let everything = everything();
        let (Step::Key(section), second) = (self.path.first()?, self.path.get(1)) else {
            return None;
        };
        let kind = match self.document.get(section).and_then(|list| list.get(0)) {
            Some(one) if second == Some(&Step::First) => {
                let of_kind = one.get("kind").cloned();
                let all = everything.get(section)?.as_array()?;
                all.iter().find(|it| it.get("kind").cloned() == of_kind).cloned()
            }
            _ => everything.get(section).cloned(),
        };
        let after = if self.path.get(1) == Some(&Step::First) { 2 } else { 1 };
        let step = |at: Option<Value>, step: &Step| match step {
            Step::Key(key) => at?.get(key).cloned(),
            Step::First => at?.get(0).cloned(),
        };
        self.path.iter().skip(after).fold(kind, step)?.get(key).cloned()
    }

    pub(super) fn is_secret(&self) -> bool {
        self.keys() == ["credential", "env", "file"]
    }
}

fn into<'a>(at: &'a mut Value, step: &Step) -> &'a mut Value {
    match step {
        Step::Key(key) => {
            as_table(at).entry(key.clone()).or_insert_with(|| Value::Table(Table::new()))
        }
        Step::First => {
            if !at.is_array() {
                *at = Value::Array(vec![Value::Table(Table::new())]);
            }
            at.as_array_mut().unwrap().first_mut().unwrap()
        }
    }
}

fn as_table(at: &mut Value) -> &mut Table {
    if !at.is_table() {
        *at = Value::Table(Table::new());
    }
    at.as_table_mut().unwrap()
}

/// The sample with every setting that is switched off switched on.
pub(super) fn everything() -> Table {
    let on = |line: &'static str| match line.strip_prefix('#') {
        Some(setting) if setting.starts_with(|first: char| first.is_ascii_lowercase()) => setting,
        _ => line,
    };
    SAMPLE.lines().map(on).collect::<Vec<_>>().join("\n").parse().unwrap()
}

pub(super) fn list(document: &Table, section: &str) -> Vec<Value> {
    document[section].as_array().unwrap().clone()
}

/// Returns a document with this source and this channel, and a route to it.
fn small(source: Value, channel: Value) -> Table {
    let name = channel["name"].clone();
    let route = Table::from_iter([("channels".to_owned(), Value::Array(vec![name]))]);
    Table::from_iter([
        ("source".to_owned(), Value::Array(vec![source])),
        ("channel".to_owned(), Value::Array(vec![channel])),
        ("route".to_owned(), Value::Array(vec![Value::Table(route)])),
    ])
}

/// Returns every table of the schema that is closed, with a good document around it.
pub(super) fn places(schema: &Schema) -> Vec<Place<'_>> {
    let sample: Table = SAMPLE.parse().unwrap();
    let of_kind = |section: &str, kind: &str| {
        list(&sample, section).into_iter().find(|it| it["kind"].as_str() == Some(kind)).unwrap()
    };
    let plain = || small(of_kind("source", "files"), of_kind("channel", "feishu"));
    let mut places = vec![Place { path: Vec::new(), schema, document: plain() }];
    for (name, section) in schema["properties"].as_object().unwrap() {
        let path = vec![Step::Key(name.clone())];
        let Some(branches) = section["items"]["oneOf"].as_array() else {
            collect(section, &path, &plain(), &mut places);
            continue;
        };
        for branch in branches {
            let one = of_kind(name, branch["properties"]["kind"]["const"].as_str().unwrap());
            let document = match name.as_str() {
                "source" => small(one, of_kind("channel", "feishu")),
                _ => small(of_kind("source", "files"), one),
            };
            collect(branch, &[path.clone(), vec![Step::First]].concat(), &document, &mut places);
        }
    }
    places
}

fn collect<'a>(schema: &'a Schema, path: &[Step], document: &Table, places: &mut Vec<Place<'a>>) {
    for either in schema["anyOf"].as_array().into_iter().flatten() {
        collect(either, path, document, places);
    }
    if schema["type"] == "array" {
        collect(&schema["items"], &[path, &[Step::First]].concat(), document, places);
    }
    if schema["type"] != "object" || schema["additionalProperties"] != false {
        return;
    }
    places.push(Place { path: path.to_vec(), schema, document: document.clone() });
    for (key, inner) in schema["properties"].as_object().unwrap() {
        collect(inner, &[path, &[Step::Key(key.clone())]].concat(), document, places);
    }
}
