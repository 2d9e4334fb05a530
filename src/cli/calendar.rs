//! `notafter calendar`: the address under which a calendar subscribes to what expires.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use clap::Args;

use super::daemon::{configured, escaped};
use super::{Console, Exit};
use crate::config::{Environment, Server};
use crate::web::CalendarAddress;

const NO_DAEMON: &str = "no daemon answers on its control socket, and only one that runs has a calendar: start it first";

#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The user of `web_config_file` for whom the secret in the address stands. Not needed where there is one, or none.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Only what this filter of the list chooses, such as source=web-certs or label=team:shop; may be given several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = filter)]
    filter: Vec<(String, String)>,
}

fn filter(text: &str) -> Result<(String, String), String> {
    let (name, value) =
        text.split_once('=').ok_or("it is a name and a value, such as source=web-certs")?;
    Ok((name.trim().to_owned(), value.to_owned()))
}

/// Prints the address of the calendar.
pub(super) async fn calendar(
    arguments: &Arguments,
    place: (&Path, Option<&Path>),
    environment: &Environment,
    console: &mut Console<'_>,
) -> anyhow::Result<Exit> {
    let (file, daemon) = configured(place, environment, console).await?;
    let daemon = daemon.context(NO_DAEMON)?;
    let mut asked = String::from("/api/v1/calendar?");
    let user = arguments.user.iter().map(|user| ("user", user));
    let filters = arguments.filter.iter().map(|(name, value)| (name.as_str(), value));
    for (name, value) in user.chain(filters) {
        write!(asked, "{}={}&", escaped(name), escaped(value))?;
    }
    let found: CalendarAddress = daemon.get(asked.trim_end_matches(['&', '?'])).await?;
    let base = base(&file.config.server);
    writeln!(console.out, "{}{}", base.as_deref().unwrap_or_default(), found.address)?;
    if base.is_none() {
        let note = "put the address of this server in front of it: `[server] external_url` does not say it";
        writeln!(console.err, "{note}")?;
    }
    if let Some(user) = &found.user {
        let note = "whoever has it reads this calendar until the password of this user changes";
        writeln!(console.err, "{}: {note}", super::output::printable(user))?;
    }
    Ok(Exit::Done)
}

/// Returns what stands before the path; `None` where it is not known whether that is TLS.
fn base(server: &Server) -> Option<String> {
    match (&server.external_url, &server.web_config_file) {
        (Some(url), _) => Some(url.as_str().trim_end_matches('/').to_owned()),
        (None, None) => Some(format!("http://{}", server.listen)),
        (None, Some(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn the_address_begins_with_what_people_reach_the_page_at() {
        let web = tempfile::tempdir().unwrap();
        let web = web.path().join("web.yml");
        let server = |lines: &str| {
            let text = format!(
                "[server]\n{lines}\n[[source]]\nname = 's'\nkind = 'files'\nschedule = 'every 1h'"
            );
            let (config, mistakes) = config::load(&text, &Environment::of([]), |_| None);
            (config.map(|config| config.server), mistakes)
        };
        let at = |lines: &str| base(&server(lines).0.unwrap());
        assert_eq!(at("").as_deref(), Some("http://127.0.0.1:10793"));
        let outer = "external_url = 'https://certs.example.com/x/'";
        assert_eq!(at(outer).as_deref(), Some("https://certs.example.com/x"));
        let mut known = server("").0.unwrap();
        known.web_config_file = Some(web);
        assert_eq!(base(&known), None);
    }

    #[test]
    fn a_filter_is_a_name_and_a_value() {
        assert_eq!(filter("label=a:b=c"), Ok(("label".to_owned(), "a:b=c".to_owned())));
        assert!(filter("source").is_err());
    }
}
