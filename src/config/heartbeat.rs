//! `[heartbeat]`: whom the daemon tells that all is well.

use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::address::endpoint;
use super::{Fields, Key, Placed, Secret, Shape};

const DEFAULT_EVERY: Duration = Duration::from_mins(1);
/// More often than this nobody asks, and less often a dead daemon goes unnoticed for too long.
const BOUNDS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_hours(24));

/// Whom to tell that all is well, and how often.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    /// The address that is asked for while all is well.
    pub url: Secret,
    /// The address that takes what is wrong; `None`: that of `url` with `/fail` behind it.
    pub fail_url: Option<Secret>,
    /// How often.
    pub every: Duration,
}

/// What may stand in `[heartbeat]`.
pub(super) const KEYS: &[Key] = &[
    Key::required(
        "url",
        Shape::Secret,
        "The address that is asked for while all is well; whoever has it can say so: it is a secret.",
    ),
    Key::new(
        "fail_url",
        Shape::Secret,
        "The address that takes what is wrong. Without it that of `url` with /fail behind it.",
    ),
    Key::new("every", Shape::Duration, "How often, from 1s to 24h.").or("\"1m\""),
];

/// Reads `[heartbeat]`.
pub(super) fn heartbeat(root: &mut Fields<'_>) -> Option<Heartbeat> {
    let (table, span) = root.table("heartbeat")?;
    let mut fields = root.inside(table, span);
    let url = fields.required_secret("url");
    let fail_url = fields.secret("fail_url");
    for (key, secret) in [("url", &url), ("fail_url", &fail_url)] {
        if let Some(secret) = secret {
            check(&mut fields, key, secret);
        }
    }
    let every = fields.duration("every").map_or(DEFAULT_EVERY, |every| {
        if every.value < BOUNDS.0 || every.value > BOUNDS.1 {
            fields.mistake(every.span, "`every` must be at least 1s and at most 24h");
        }
        every.value
    });
    fields.finish();
    Some(Heartbeat { url: url?.value, fail_url: fail_url.map(|secret| secret.value), every })
}

/// The address is a secret: whoever has it can say that all is well.
fn check(fields: &mut Fields<'_>, key: &str, secret: &Placed<Secret>) {
    let Ok(text) = secret.value.read() else { return };
    if let Err(why) = endpoint(text.expose_secret()) {
        fields.mistake(secret.span.clone(), format!("`{key}` {why}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, load};

    #[test]
    fn addresses_are_secrets_and_are_checked() {
        let text = |heartbeat: &str| {
            format!(
                "[[source]]\nname = 's'\nkind = 'files'\nschedule = 'every 1h'\n\
                 [[channel]]\nname = 'c'\nkind = 'slack'\n[[route]]\nchannels = ['c']\n{heartbeat}\n"
            )
        };
        let environment = Environment::of([
            ("PING_URL", "https://ping.example/s3cr3t"),
            ("BAD_URL", "http://ping.example/s3cr3t"),
        ]);
        let good = text("[heartbeat]\nurl = { env = 'PING_URL' }");
        let (config, mistakes) = load(&good, &environment, |_| None);
        assert_eq!(mistakes.render("x", &good), "");
        let heartbeat = config.unwrap().heartbeat.unwrap();
        assert_eq!((heartbeat.every, heartbeat.fail_url.is_some()), (DEFAULT_EVERY, false));
        let bad = text(
            "[heartbeat]\nurl = { env = 'BAD_URL' }\nfail_url = 'https://x'\nevery = '2d'\nevry = 1",
        );
        let (_, mistakes) = load(&bad, &environment, |_| None);
        let rendered = mistakes.render("x", &bad);
        assert!(!rendered.contains("s3cr3t"), "{rendered}");
        for said in [
            "`url` must begin with `https://`",
            "a secret is never written here",
            "`every` must be at least 1s and at most 24h",
            "unknown key `evry`",
        ] {
            assert!(rendered.contains(said), "{said}: {rendered}");
        }
    }
}
