//! Mail, by SMTP over TLS: one message a recipient, so that an address which is refused silences nobody else.

use std::sync::Arc;

use async_trait::async_trait;
use lettre::address::Envelope;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::{AsyncSmtpTransport, Error};
use lettre::{Address, AsyncTransport as _, Tokio1Executor};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use url::Url;

use super::keys;
use super::means::Means;
use super::options::Credential;
use super::verdict::{down, passing, rejected, unknown};
use super::{Channel, Pace, Page, Receipt, SendError};
use crate::config::{Fields, Key, Open, Shape};
use crate::expiry::Message;
use crate::expiry::text::cut_chars;

mod letter;

pub(super) const ABOUT: &str = "Mail, by SMTP over TLS: a letter to each address.";

pub(super) const OPTIONS: &[Key] = &[
    Key::required(
        "server",
        Shape::Like("^\\s*smtps?://"),
        "smtps:// (port 465), or smtp:// with STARTTLS (port 587); never without TLS.",
    ),
    Key::required("from", Shape::Text, "Who sends, such as notafter@example.com."),
    Key::required("to", Shape::SomeTexts, "Who gets a letter each: addresses."),
    Key::new(
        "user",
        Shape::SecretOrText,
        "For servers that ask who sends, together with `password`.",
    ),
    Key::new("password", Shape::Secret, "The password of `user`."),
];

/// Builds the channel, or reports what is wrong with its options.
pub(super) fn build(mut fields: Fields<'_>, means: &Means) -> Option<Arc<dyn Channel>> {
    let server = server(&mut fields);
    let from = fields.required_string("from").and_then(|from| {
        mailbox(&from.value).map_err(|why| fields.mistake(from.span, format!("`from` {why}"))).ok()
    });
    let to = recipients(&mut fields);
    let user = fields.open("user").map(|user| user.value);
    let password = Credential::optional("password", &mut fields);
    if user.is_some() != password.is_some() {
        fields.mistake(fields.span(), "`user` and `password` go together");
    }
    if let Some(place) = &means.proxy {
        fields.mistake(place.clone(), "`proxy`: mail goes to its server without one");
    }
    fields.finish()?;
    let (server, from) = (server?, from?);
    Some(Arc::new(Email { server, from, to: to?, user, password, means: means.clone() }))
}

struct Email {
    server: Url,
    from: Mailbox,
    to: Vec<Address>,
    user: Option<Open>,
    password: Option<Credential>,
    means: Means,
}

#[async_trait]
impl Channel for Email {
    fn encode(&self, message: &Message) -> Vec<String> {
        let count = self.to.len();
        let letter = |(index, to): (usize, &Address)| {
            let id = Page::id_of(&message.id, index, count);
            let mail = letter::write(message, &id, &self.from, to);
            json!({ "to": to.to_string(), "mail": mail }).to_string()
        };
        self.to.iter().enumerate().map(letter).collect()
    }

    async fn send_page(&self, page: Page<'_>) -> Result<Receipt, SendError> {
        let kept: Value =
            serde_json::from_str(page.body).map_err(|_| unknown("a kept body is damaged"))?;
        let to = kept["to"].as_str().and_then(|to| to.parse().ok());
        let (Some(to), Some(mail)) = (to, kept["mail"].as_str()) else {
            return Err(unknown("a kept body is damaged"));
        };
        let envelope = Envelope::new(Some(self.from.email.clone()), vec![to])
            .map_err(|_| unknown("a kept body is damaged"))?;
        let sent = self.transport()?.send_raw(&envelope, mail.as_bytes()).await;
        sent.map(|_| Receipt::default()).map_err(|error| of_error(&error))
    }

    /// Servers of providers allow a few a minute from one who is new to them.
    fn pace(&self) -> Pace {
        Pace { gap: std::time::Duration::from_secs(1), per_minute: 10 }
    }

    fn destination(&self) -> String {
        let to: Vec<_> = self.to.iter().map(ToString::to_string).collect();
        let host = self.server.host_str().unwrap_or_default();
        let key = keys::key(&[self.server.as_str(), self.from.email.as_ref(), &to.join(",")]);
        format!("{host}#{}", cut_chars(&key, 9))
    }
}

impl Email {
    fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, SendError> {
        let host = self.server.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let mut tls = TlsParameters::builder(host.to_owned());
        for authority in &self.means.authorities {
            let authority = Certificate::from_der(authority.to_vec());
            tls = tls.add_root_certificate(authority.map_err(|error| of_error(&error))?);
        }
        let tls = tls.build_rustls().map_err(|error| of_error(&error))?;
        let (tls, port) = match self.server.scheme() {
            "smtps" => (Tls::Wrapper(tls), 465),
            _ => (Tls::Required(tls), 587),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(self.server.port().unwrap_or(port))
            .tls(tls)
            .timeout(Some(self.means.timeout));
        if let (Some(user), Some(password)) = (&self.user, &self.password) {
            let user = user.read().map_err(|why| down("user", why))?;
            let (user, password) = (user.expose_secret().to_owned(), password.read()?);
            builder =
                builder.credentials(Credentials::new(user, password.expose_secret().to_owned()));
        }
        Ok(builder.build())
    }
}

/// Reads where mail is handed in. Without TLS it goes nowhere.
fn server(fields: &mut Fields<'_>) -> Option<Url> {
    let text = fields.required_string("server")?;
    let url = Url::parse(text.value.trim()).ok().filter(|url| url.host_str().is_some());
    let why = match &url {
        Some(url) if !matches!(url.scheme(), "smtps" | "smtp") => {
            "must begin with `smtps://`, or `smtp://` for STARTTLS"
        }
        Some(url) if !url.username().is_empty() || url.password().is_some() => {
            "must not hold a user: write `user` and `password`"
        }
        Some(url) if !matches!(url.path(), "" | "/") || url.query().is_some() => {
            "must not hold a path"
        }
        Some(_) => return url,
        None => "must be a URL such as `smtps://mail.example.com`",
    };
    fields.mistake(text.span, format!("`server` {why}"));
    None
}

fn mailbox(text: &str) -> Result<Mailbox, &'static str> {
    text.parse().map_err(|_| "is no address such as `notafter@example.com`")
}

fn recipients(fields: &mut Fields<'_>) -> Option<Vec<Address>> {
    fields.require("to", ": a list of addresses");
    let list = fields.placed_strings("to")?;
    if list.value.is_empty() {
        fields.mistake(list.span, "`to` names nobody");
        return None;
    }
    let mut to = Vec::new();
    for text in list.value {
        match text.value.parse() {
            Ok(address) if to.contains(&address) => {
                fields.mistake(text.span, "`to`: this address is in it already");
            }
            Ok(address) => to.push(address),
            Err(_) => {
                fields.mistake(text.span, "`to`: this is no address such as `ops@example.com`");
            }
        }
    }
    Some(to)
}

/// Returns what a failure means: what the server says first, then how far it came. No text of the server is repeated.
fn of_error(error: &Error) -> SendError {
    let code = error.status().map(u16::from);
    let word = code.map_or_else(String::new, |code| format!("smtp {code}"));
    match code {
        Some(530 | 534 | 535 | 538) => down(word, "correct user and password of the channel"),
        Some(400..=499) => passing(word, None),
        Some(500..=599) => rejected(word),
        Some(_) => unknown(word),
        None if error.is_timeout() => SendError::Ambiguous { code: "no answer in time".to_owned() },
        None if error.is_tls() => passing("TLS failed", None),
        None if error.is_client() => down(
            "smtp",
            "the server offers nothing that this channel needs: TLS, or a way to log in",
        ),
        None => passing("no connection", None),
    }
}

#[cfg(test)]
mod tests;
