//! `endpoints_file`: one endpoint a line, labels after it, `#` before what is not one.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::endpoint::Endpoint;
use crate::expiry::{Labels, MOST_LABELS, Reason, Rejected};

/// A hundred times the endpoints that one source is made for.
const LARGEST: u64 = 64 << 20;

/// What stands in the file.
#[derive(Debug, Default)]
pub(super) struct List {
    /// Endpoints by their place; of one that is named twice, the first.
    pub(super) endpoints: BTreeMap<String, Endpoint>,
    /// Labels of what is served there, by place.
    pub(super) labels: BTreeMap<String, Labels>,
    /// Lines that say nothing, or something that cannot be.
    pub(super) rejected: Vec<Rejected>,
}

impl List {
    /// Reads the file.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let failed = |error| format!("`endpoints_file` {}: {error}", path.display());
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(LARGEST).read_to_end(&mut bytes))
            .map_err(failed)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(Self::parse(&String::from_utf8_lossy(&bytes), &name))
    }

    fn parse(text: &str, name: &str) -> Self {
        let mut list = Self::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.split_once('#').map_or(line, |(line, _)| line);
            let mut words = line.split_whitespace();
            let Some(endpoint) = words.next() else { continue };
            let at = format!("{name}:{}", number + 1);
            if let Err(why) = list.add(endpoint, words) {
                let what = format!("{at} {why}");
                list.rejected.push(Rejected { reason: Reason::BadField, what });
            }
        }
        list
    }

    /// Adds an endpoint, also where its labels are none: what is written of it is said, and it is looked at.
    fn add<'a>(&mut self, text: &str, words: impl Iterator<Item = &'a str>) -> Result<(), String> {
        let endpoint = Endpoint::parse(text)?;
        let place = endpoint.place();
        match self.endpoints.get(&place) {
            Some(known) if known.protocol != endpoint.protocol => {
                return Err(format!("{place} is named before, with another protocol"));
            }
            Some(_) => {}
            None => drop(self.endpoints.insert(place.clone(), endpoint)),
        }
        let labels = labels(words)?;
        if !labels.is_empty() {
            self.labels.entry(place).or_insert(labels);
        }
        Ok(())
    }
}

/// Reads labels, which are `name=value` each.
fn labels<'a>(words: impl Iterator<Item = &'a str>) -> Result<Labels, String> {
    let mut labels = Labels::new();
    for (position, word) in words.enumerate() {
        let is_name = |name: &str| {
            let starts =
                name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
            starts && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        match word.split_once('=') {
            _ if position >= MOST_LABELS => {
                return Err(format!("has more than {MOST_LABELS} labels"));
            }
            Some((name, value)) if is_name(name) && !value.is_empty() => {
                labels.insert(name.to_owned(), value.to_owned());
            }
            _ => return Err(format!("`{word}` is not a label, such as `team=web`")),
        }
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_endpoints_with_labels_and_comments() {
        let text = "# ours\nexample.com  team=web env=prod\r\n\n  smtp://mx.example.com # mail\n\
                    example.com:443\n*.example.com\nsmtp://example.com:443\na.example 7=x\nb.example team\n";
        let list = List::parse(text, "hosts");
        let places: Vec<_> = list.endpoints.keys().map(String::as_str).collect();
        let expected =
            ["a.example:443/a.example", "b.example:443/b.example", "example.com:443/example.com"];
        assert_eq!(places[..3], expected);
        assert_eq!(places[3..], ["mx.example.com:25/mx.example.com"]);
        let web =
            [("env", "prod"), ("team", "web")].map(|(name, value)| (name.into(), value.into()));
        assert_eq!(list.labels, [("example.com:443/example.com".to_owned(), web.into())].into());
        let rejected: Vec<_> = list.rejected.iter().map(|one| one.what.as_str()).collect();
        assert_eq!(
            rejected,
            [
                "hosts:6 a wildcard names no host: write the names that are served",
                "hosts:7 example.com:443/example.com is named before, with another protocol",
                "hosts:8 `7=x` is not a label, such as `team=web`",
                "hosts:9 `team` is not a label, such as `team=web`",
            ]
        );
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let why = List::read(Path::new("/does/not/exist")).unwrap_err();
        assert!(why.starts_with("`endpoints_file` /does/not/exist: No such file"), "{why}");
    }
}
