//! Reads one table of options, key by key, and reports what is left over.

use std::collections::BTreeMap;

use url::Url;

mod section;
mod secrets;

use super::address::endpoint;
use super::secret::HOW;
use super::spelling::{known, quoted};
use super::tree::{Entry, Node, Table, Value};
use super::{Environment, Mistakes, Options, Placed, Secret, Span};

/// Reads one table, key by key. Every method reports its own mistake and goes on.
///
/// `None` means that the key is absent or that its mistake has been reported; [`Fields::finish`] tells which.
pub struct Fields<'a> {
    table: &'a Table,
    span: Span,
    environment: &'a Environment,
    mistakes: &'a mut Mistakes,
    read: Vec<&'static str>,
    before: usize,
}

impl<'a> Fields<'a> {
    /// Begins to read `options`.
    pub fn new(options: &'a Options, mistakes: &'a mut Mistakes) -> Self {
        let fields = Self::of(&options.table, options.span.clone(), &options.environment, mistakes);
        Self { read: options.taken.to_vec(), ..fields }
    }

    /// Begins to read `table`, which stands at `span`.
    pub(super) fn of(
        table: &'a Table,
        span: Span,
        environment: &'a Environment,
        mistakes: &'a mut Mistakes,
    ) -> Self {
        let before = mistakes.errors.len();
        Self { table, span, environment, mistakes, read: Vec::new(), before }
    }

    /// Reads a string.
    pub fn string(&mut self, key: &'static str) -> Option<Placed<String>> {
        let node = self.node(key)?;
        self.text(node, key, "a string")
    }

    /// Reads a string that must be there and not be empty.
    pub fn required_string(&mut self, key: &'static str) -> Option<Placed<String>> {
        self.require(key, "");
        let text = self.string(key)?;
        if text.value.trim().is_empty() {
            self.mistake(text.span, format!("`{key}` is empty"));
            return None;
        }
        Some(text)
    }

    /// Reads a list of strings, none of them empty.
    pub fn strings(&mut self, key: &'static str) -> Option<Placed<Vec<String>>> {
        let before = self.mistakes.errors.len();
        let list = self.placed_strings(key)?;
        if self.mistakes.errors.len() > before {
            return None;
        }
        let value = list.value.into_iter().map(|text| text.value).collect();
        Some(Placed { value, span: list.span })
    }

    /// Reads a URL: `https`, or `http` to a loopback host. No user information.
    pub fn url(&mut self, key: &'static str) -> Option<Placed<Url>> {
        let text = self.string(key)?;
        match endpoint(&text.value) {
            Ok(value) => Some(Placed { value, span: text.span }),
            Err(why) => {
                self.mistake(text.span, format!("`{key}` {why}"));
                None
            }
        }
    }

    /// Reads a positive number of requests a second.
    pub fn rate(&mut self, key: &'static str) -> Option<Placed<f64>> {
        let node = self.node(key)?;
        let value = match node.value {
            // Rates have few digits.
            Value::Integer(Some(integer)) => u32::try_from(integer).ok().map(f64::from),
            Value::Float(float) => Some(float),
            _ => {
                self.wrong_type(node, key, "a number of requests a second, such as `10` or `0.5`");
                return None;
            }
        };
        let Some(value) = value.filter(|rate| rate.is_finite() && *rate > 0.0) else {
            self.mistake(node.span.clone(), format!("`{key}` must be above 0"));
            return None;
        };
        Some(Placed { value, span: node.span.clone() })
    }

    /// Reads a secret: `{ env = … }`, `{ file = … }` or `{ credential = … }`. It must be readable now.
    pub fn secret(&mut self, key: &'static str) -> Option<Placed<Secret>> {
        let node = self.node(key)?;
        let value = self.secret_in(node)?;
        Some(Placed { value, span: node.span.clone() })
    }

    /// Reads a secret that must be there.
    pub fn required_secret(&mut self, key: &'static str) -> Option<Placed<Secret>> {
        self.require(key, &format!("; {HOW}"));
        self.secret(key)
    }

    /// Reads a table whose values are secrets, such as HTTP headers.
    pub fn secrets(&mut self, key: &'static str) -> Vec<(String, Secret)> {
        let Some((table, _)) = self.table(key) else { return Vec::new() };
        let mut secrets = Vec::new();
        for (name, entry) in &table.0 {
            if let Some(secret) = self.secret_in(&entry.node) {
                secrets.push((name.clone(), secret));
            }
        }
        secrets
    }

    /// Reads a list of tables, each a set of strings; unknown keys in them are mistakes.
    pub fn tables(
        &mut self,
        key: &'static str,
        known: &[&'static str],
    ) -> Option<Vec<Placed<BTreeMap<String, String>>>> {
        let tables = self.list_of_tables(key)?;
        let before = self.mistakes.errors.len();
        let mut read = Vec::new();
        for (table, span) in tables {
            let mut value = BTreeMap::new();
            let mut fields = self.inside(table, span.clone());
            for key in known {
                if let Some(text) = fields.non_empty(key) {
                    value.insert((*key).to_owned(), text.value);
                }
            }
            fields.finish();
            read.push(Placed { value, span });
        }
        (self.mistakes.errors.len() == before).then_some(read)
    }

    /// Adds a mistake of the kind's own.
    pub fn mistake(&mut self, span: Span, text: impl Into<String>) {
        self.mistakes.push(span, text);
    }

    /// Warns of a word that is none of those `known`: the provider may have new ones.
    pub fn warn_unless_known(&mut self, what: &str, word: &Placed<String>, known: &[&str]) {
        if !known.contains(&word.value.as_str()) {
            let hint = super::spelling::known(&word.value, known);
            self.warn(word.span.clone(), format!("unknown {what} {}; {hint}", quoted(&word.value)));
        }
    }

    /// Adds a warning of the kind's own.
    pub fn warn(&mut self, span: Span, text: impl Into<String>) {
        self.mistakes.warn(span, text);
    }

    /// Reports keys that nobody read; `None` when anything in this table was wrong.
    pub fn finish(mut self) -> Option<()> {
        self.report_unknown();
        (self.mistakes.errors.len() == self.before).then_some(())
    }
}

impl<'a> Fields<'a> {
    /// Reports keys that nobody read.
    pub(super) fn report_unknown(&mut self) {
        self.read.sort_unstable();
        self.read.dedup();
        for (key, Entry { key: span, .. }) in &self.table.0 {
            if !self.read.contains(&key.as_str()) {
                let hint = known(key, &self.read);
                self.mistakes.push(span.clone(), format!("unknown key {}; {hint}", quoted(key)));
            }
        }
    }

    fn node(&mut self, key: &'static str) -> Option<&'a Node> {
        self.read.push(key);
        self.table.0.get(key).map(|entry| &entry.node)
    }

    fn text(&mut self, node: &Node, key: &str, expected: &str) -> Option<Placed<String>> {
        let Value::String(text) = &node.value else {
            self.wrong_type(node, key, expected);
            return None;
        };
        Some(Placed { value: text.clone(), span: node.span.clone() })
    }

    fn wrong_type(&mut self, node: &Node, key: &str, expected: &str) {
        self.mistake(
            node.span.clone(),
            format!("`{key}`: expected {expected}, found {}", node.value.kind()),
        );
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::config::load;

    /// Reads the options of one source with `read` and returns the mistakes.
    fn check(options: &str, read: impl FnOnce(Fields<'_>) -> bool) -> String {
        let text = format!(
            "[[source]]\nname='s'\nkind='k'\nschedule='@daily'\n[source.options]\n{options}"
        );
        let environment = Environment::of([("APP_KEY", "s3cr3t"), ("EMPTY_KEY", "")]);
        let mut mistakes = Mistakes::default();
        let options = load(&text, &environment, |_| None).0.unwrap().sources.remove(0).options;
        let good = read(Fields::new(&options, &mut mistakes));
        assert_eq!(good, mistakes.errors.is_empty(), "finish knows whether there are mistakes");
        mistakes.render("x", &text)
    }

    #[test]
    fn values_are_read() {
        let text = "text = 'a'\nlist = ['a', 'b']\nurl = 'https://example.com'\nwhole = 10\npart = 0.5\n\
                    key = { env = 'APP_KEY' }\nheaders = { A = { env = 'APP_KEY' } }\n\
                    devices = [{ id = 'x' }, { key = 'y' }]\n";
        let mistakes = check(text, |mut fields| {
            assert_eq!(fields.required_string("text").unwrap().value, "a");
            assert_eq!(fields.strings("list").unwrap().value, ["a", "b"]);
            assert_eq!(fields.url("url").unwrap().value.as_str(), "https://example.com/");
            let rates = ["whole", "part"].map(|key| fields.rate(key).unwrap().value.to_string());
            assert_eq!(rates, ["10", "0.5"]);
            let secret = fields.required_secret("key").unwrap().value;
            assert_eq!(secret.read().unwrap().expose_secret(), "s3cr3t");
            let headers = fields.secrets("headers");
            assert_eq!(headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["A"]);
            let devices = fields.tables("devices", &["id", "key"]).unwrap();
            let devices: Vec<_> = devices.into_iter().map(|device| device.value).collect();
            assert_eq!(format!("{devices:?}"), r#"[{"id": "x"}, {"key": "y"}]"#);
            assert!(fields.string("absent").is_none());
            fields.finish().is_some()
        });
        assert_eq!(mistakes, "");
    }

    #[test]
    fn secrets_that_are_not_there() {
        let text = "a = 's3cr3t'\nb = { env = 'NO_KEY' }\nc = { env = 'EMPTY_KEY' }\nd = { file = 'relative' }\n\
                    e = { credential = '../x' }\nf = { env = 'APP_KEY', file = '/x' }\ng = {}\n\
                    h = { value = 's3cr3t' }\ni = { A = 's3cr3t', B = { env = '' } }\nk = { file = '/does/not/exist' }\n";
        let mistakes = check(text, |mut fields| {
            for key in ["a", "b", "c", "d", "e", "f", "g", "h", "j", "k"] {
                assert!(fields.required_secret(key).is_none(), "{key}");
            }
            assert!(fields.secrets("i").is_empty());
            fields.finish().is_some()
        });
        assert!(!mistakes.contains("s3cr3t"), "{mistakes}");
        insta::assert_snapshot!(mistakes, @r#"
        x:5:1: missing key `j`; write `{ env = "NAME" }`, `{ file = "/path" }` or `{ credential = "name" }`
        x:6:5: a secret is never written here: write `{ env = "NAME" }`, `{ file = "/path" }` or `{ credential = "name" }`
        x:7:5: environment variable `NO_KEY` is not set
        x:8:5: environment variable `EMPTY_KEY` is empty
        x:9:14: the path of a secret file must begin with `/`
        x:10:20: the name of a credential is a file name, without `/`
        x:11:5: a secret has one place: write `{ env = "NAME" }`, `{ file = "/path" }` or `{ credential = "name" }`
        x:12:5: a secret has one place: write `{ env = "NAME" }`, `{ file = "/path" }` or `{ credential = "name" }`
        x:13:7: unknown key `value`; known: credential, env, file
        x:14:11: a secret is never written here: write `{ env = "NAME" }`, `{ file = "/path" }` or `{ credential = "name" }`
        x:14:33: `env` is empty
        x:15:5: secret file `/does/not/exist` cannot be read: No such file or directory (os error 2)
        "#);
    }

    #[test]
    fn values_of_the_wrong_kind() {
        let text = "text = 1\nempty = ' '\nlist = ['a', 1]\nholes = ['']\nurl = 'http://example.com'\nrate = 0\n\
                    nan = nan\nword = 'fast'\ndevices = [{ id = 1, nmae = 'x' }, 3]\nheaders = []\n";
        let mistakes = check(text, |mut fields| {
            assert!(fields.string("text").is_none());
            assert!(fields.required_string("empty").is_none());
            assert!(fields.required_string("gone").is_none());
            assert!(fields.strings("list").is_none());
            assert!(fields.strings("holes").is_none());
            assert!(fields.url("url").is_none());
            assert!(fields.rate("rate").is_none());
            assert!(fields.rate("nan").is_none());
            assert!(fields.rate("word").is_none());
            assert!(fields.tables("devices", &["id", "name"]).is_none());
            assert!(fields.secrets("headers").is_empty());
            fields.finish().is_some()
        });
        insta::assert_snapshot!(mistakes, @r"
        x:5:1: missing key `gone`
        x:6:8: `text`: expected a string, found an integer
        x:7:9: `empty` is empty
        x:8:14: `list`: expected a string, found an integer
        x:9:10: `holes` holds an empty string
        x:10:7: `url` must begin with `https://`; plain http is accepted for this machine alone
        x:11:8: `rate` must be above 0
        x:12:7: `nan` must be above 0
        x:13:8: `word`: expected a number of requests a second, such as `10` or `0.5`, found a string
        x:14:19: `id`: expected a string, found an integer
        x:14:22: unknown key `nmae`; did you mean `name`? (known: id, name)
        x:14:36: `devices`: expected a table, found an integer
        x:15:11: `headers`: expected a table, found a list
        ");
    }

    #[test]
    fn keys_that_nobody_read() {
        let mistakes = check("regoin = 'x'\n\"\\u001b[2J\" = 1\n", |mut fields| {
            fields.string("region");
            fields.string("endpoint");
            fields.finish().is_some()
        });
        insta::assert_snapshot!(mistakes, @r"
        x:6:1: unknown key `regoin`; did you mean `region`? (known: endpoint, region)
        x:7:1: unknown key `\u{1b}[2J`; known: endpoint, region
        ");
    }
}
