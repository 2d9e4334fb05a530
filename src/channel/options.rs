//! Options that several kinds of channel have.

use secrecy::SecretString;

use super::SendError;
use super::verdict::down;
use crate::config::{Fields, Key, Secret, Shape};

/// A secret of a channel, read again for each message so that it can be changed while notafter runs.
pub(super) struct Credential {
    name: &'static str,
    secret: Secret,
}

impl Credential {
    /// Returns a credential; `name` is what an error calls it.
    pub(super) const fn new(name: &'static str, secret: Secret) -> Self {
        Self { name, secret }
    }

    /// Reads the option `key`.
    pub(super) fn optional(key: &'static str, fields: &mut Fields<'_>) -> Option<Self> {
        fields.secret(key).map(|secret| Self::new(key, secret.value))
    }

    /// Returns the secret as it is now.
    pub(super) fn read(&self) -> Result<SecretString, SendError> {
        self.secret.read().map_err(|why| down(self.name, why))
    }
}

/// The robot's signature check.
pub(super) const SECRET: Key =
    Key::new("secret", Shape::Secret, "The robot's signature check, if it is on.");
/// The robot's keyword.
pub(super) const KEYWORD: Key = Key::new(
    "keyword",
    Shape::Like("^.{1,64}$"),
    "The robot's keyword, if it has one: 1 to 64 letters, digits, spaces, dots, `-` or `_`.",
);

/// What a robot can be set to ask for: a signature, and a word in every message.
#[derive(Default)]
pub(super) struct Guards {
    secret: Option<Credential>,
    pub(super) keyword: Option<String>,
}

impl Guards {
    /// Reads the options `secret` and `keyword`.
    pub(super) fn read(fields: &mut Fields<'_>) -> Self {
        Self { secret: Credential::optional("secret", fields), keyword: keyword(fields) }
    }

    /// Returns the secret that requests are signed with, if they are.
    pub(super) fn secret(&self) -> Result<Option<SecretString>, SendError> {
        self.secret.as_ref().map(Credential::read).transpose()
    }
}

/// Reads the option `keyword`: a word that the robot asks for in every message.
fn keyword(fields: &mut Fields<'_>) -> Option<String> {
    let keyword = fields.string("keyword")?;
    let usable = (1..=64).contains(&keyword.value.chars().count())
        && keyword.value.chars().all(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.'));
    if !usable {
        fields.mistake(
            keyword.span,
            "`keyword` must be 1 to 64 letters, digits, spaces, dots, `-` or `_`",
        );
        return None;
    }
    Some(keyword.value)
}
