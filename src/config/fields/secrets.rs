//! How a secret is written.

use secrecy::{ExposeSecret as _, SecretString};

use super::Fields;
use crate::config::address::proxy;
use crate::config::secret::HOW;
use crate::config::tree::{Node, Table, Value};
use crate::config::{Open, Placed, Secret, SecretRef, Span};

impl Fields<'_> {
    /// Reads the URL of a proxy: written here where it holds no password, else a secret, as it is now.
    pub(in crate::config) fn proxy(&mut self, key: &'static str) -> Option<Placed<SecretString>> {
        let node = self.node(key)?;
        let span = node.span.clone();
        let (text, is_secret) = match &node.value {
            Value::Table(_) => (self.secret_in(node)?.read().ok()?, true),
            _ => (SecretString::from(self.text(node, key, "a URL or a secret")?.value), false),
        };
        if let Err(why) = proxy(text.expose_secret(), is_secret) {
            self.mistake(span, format!("`{key}` {why}"));
            return None;
        }
        Some(Placed { value: text, span })
    }

    /// Reads what must be there, may be a secret and may be written as it is.
    pub fn required_open(&mut self, key: &'static str) -> Option<Placed<Open>> {
        self.require(key, "");
        self.open(key)
    }

    /// Reads what may be a secret and may be written as it is.
    pub fn open(&mut self, key: &'static str) -> Option<Placed<Open>> {
        let node = self.node(key)?;
        let span = node.span.clone();
        let value = match &node.value {
            Value::Table(_) => Open::Secret(self.secret_in(node)?),
            _ => Open::Written(self.text(node, key, "a string or a secret")?.value),
        };
        Some(Placed { value, span })
    }

    pub(super) fn secret_in(&mut self, node: &Node) -> Option<Secret> {
        let Value::Table(table) = &node.value else {
            // Never the value itself: it may be the secret.
            self.mistake(node.span.clone(), format!("a secret is never written here: {HOW}"));
            return None;
        };
        let reference = self.secret_reference(table, node.span.clone())?;
        let secret = Secret::new(reference, self.environment);
        if let Err(why) = secret.read() {
            self.mistake(node.span.clone(), why);
            return None;
        }
        if let Some(danger) = secret.danger() {
            self.warn(node.span.clone(), danger);
        }
        Some(secret)
    }

    fn secret_reference(&mut self, table: &Table, span: Span) -> Option<SecretRef> {
        let mut fields = self.inside(table, span.clone());
        let env = fields.non_empty("env").map(|name| SecretRef::Env(name.value));
        let file = fields.non_empty("file");
        let credential = fields.non_empty("credential");
        for relative in file.iter().filter(|path| !path.value.starts_with('/')) {
            fields.mistake(relative.span.clone(), "the path of a secret file must begin with `/`");
        }
        for path in
            credential.iter().filter(|name| name.value.contains('/') || name.value.starts_with('.'))
        {
            fields
                .mistake(path.span.clone(), "the name of a credential is a file name, without `/`");
        }
        fields.finish()?;
        let file = file.map(|path| SecretRef::File(path.value.into()));
        let credential = credential.map(|name| SecretRef::Credential(name.value));
        let mut given = [env, file, credential].into_iter().flatten();
        let (Some(reference), None) = (given.next(), given.next()) else {
            self.mistake(span, format!("a secret has one place: {HOW}"));
            return None;
        };
        Some(reference)
    }
}
