//! `notafter channel test`: does a message arrive?

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use clap::Subcommand;

use super::daemon::{Daemon, escaped};
use super::file::{File, Mistaken, deps, now};
use super::output::printable;
use super::sample::Sample;
use super::{Console, Exit};
use crate::channel::{Receipt, SendError};
use crate::clock::{Random as _, SystemRandom};
use crate::config::{ChannelConfig, Environment};
use crate::expiry::{Event, Manner, Message, Severity, Timestamp, Topic};
use crate::web::Tested;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Sends a message that is marked as a test, and prints what the service said.
    Test {
        /// The channel's name in the configuration.
        name: String,
        /// Send a message of this kind in the place of the test, about certificates that do not exist.
        #[arg(long, value_name = "KIND")]
        sample: Option<Sample>,
    },
}

/// Runs a command about channels.
pub(super) async fn run(
    command: &Command,
    (path, socket): (&Path, Option<&Path>),
    environment: &Environment,
    console: &mut Console<'_>,
) -> anyhow::Result<Exit> {
    let Command::Test { name, sample } = command;
    let mut file = File::read(path, environment, console)?;
    let candidates = &file.config.server.sockets.candidates;
    if let Some(daemon) = Daemon::find(socket, candidates).await? {
        // It knows the channel as it is configured there, and goes on with what waits once a test has arrived.
        let path = format!("/api/v1/channels/{}/test", escaped(name));
        let tested: Tested = daemon.post(&path).await?;
        return verdict(name, &outcome(tested), console.out).map_err(Into::into);
    }
    let found = file.config.channels.iter().find(|channel| channel.name == *name).cloned();
    let Some(config) = found else {
        let known: Vec<_> =
            file.config.channels.iter().map(|channel| channel.name.as_str()).collect();
        anyhow::bail!("no channel has the name `{name}` (known: {})", known.join(", "));
    };
    // Only this one: the secrets of the others need not be at hand.
    let channel = file.channel(&config, &deps()?);
    file.approve(console)?;
    let channel = channel.ok_or(Mistaken)?;
    let external_url = file.config.server.external_url.as_ref().map(url::Url::as_str);
    let message = test_message(&config, *sample, now(), external_url);
    verdict(name, &channel.send(&message).await, console.out).map_err(Into::into)
}

fn test_message(
    config: &ChannelConfig,
    sample: Option<Sample>,
    at: Timestamp,
    external_url: Option<&str>,
) -> Message {
    let id = || SystemRandom.uuid(at.seconds().saturating_mul(1000)).to_string();
    let test = || vec![Event { id: id(), at, severity: Severity::Info, topic: Topic::Test }];
    let events = sample.map_or_else(test, |sample| sample.events(at, id));
    let manner = Manner { language: config.language, zone: config.timezone };
    Message::compose(id(), at, manner, events, external_url)
}

/// Returns the verdict that the daemon tells of.
fn outcome(tested: Tested) -> Result<Receipt, SendError> {
    let code = tested.code.unwrap_or_default();
    let after = tested.retry_after_seconds.map(Duration::from_secs);
    Err(match tested.outcome.as_str() {
        "delivered" => return Ok(Receipt { id: tested.message_id }),
        "throttled" => SendError::Throttled { after: after.unwrap_or_default(), code },
        "ambiguous" => SendError::Ambiguous { code },
        "rejected" => SendError::RejectMessage { code },
        "down" => SendError::ChannelDown { code, hint: tested.hint.unwrap_or_default() },
        _ => SendError::Retry { after, code },
    })
}

/// Says what the service decided, in words that tell what to do.
fn verdict(
    name: &str,
    outcome: &Result<Receipt, SendError>,
    out: &mut dyn Write,
) -> io::Result<Exit> {
    let text = match outcome {
        Ok(Receipt { id: Some(id) }) => format!("delivered; the service calls it {id}"),
        Ok(Receipt { id: None }) => "delivered".to_owned(),
        Err(SendError::Throttled { after, code }) => {
            format!("not delivered: too many messages ({code}); try again in {} s", after.as_secs())
        }
        Err(SendError::Retry { after: None, code }) => {
            format!("not delivered: {code}; the daemon would try again")
        }
        Err(SendError::Retry { after: Some(after), code }) => {
            format!("not delivered: {code}; the daemon would try again in {} s", after.as_secs())
        }
        Err(SendError::Ambiguous { code }) => {
            format!("nobody knows: {code}; look into the room before trying again")
        }
        Err(SendError::RejectMessage { code }) => {
            format!("not delivered: the service refuses this message ({code})")
        }
        Err(SendError::ChannelDown { code, hint }) => {
            format!("not delivered: the channel does not work ({code}): {hint}")
        }
    };
    writeln!(out, "{name}: {}", printable(&text))?;
    Ok(if outcome.is_ok() { Exit::Done } else { Exit::Failed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        let code = || "19001 bad\u{1b}token".to_owned();
        let after = Duration::from_mins(1);
        for (outcome, expected, exit) in [
            (Ok(Receipt { id: None }), "ops: delivered\n", Exit::Done),
            (
                Ok(Receipt { id: Some("m1".to_owned()) }),
                "ops: delivered; the service calls it m1\n",
                Exit::Done,
            ),
            (
                Err(SendError::Throttled { after, code: code() }),
                "ops: not delivered: too many messages (19001 bad\\u{1b}token); try again in 60 s\n",
                Exit::Failed,
            ),
            (
                Err(SendError::Retry { after: None, code: code() }),
                "ops: not delivered: 19001 bad\\u{1b}token; the daemon would try again\n",
                Exit::Failed,
            ),
            (
                Err(SendError::Ambiguous { code: code() }),
                "ops: nobody knows: 19001 bad\\u{1b}token; look into the room before trying again\n",
                Exit::Failed,
            ),
            (
                Err(SendError::ChannelDown { code: code(), hint: "make a new robot".to_owned() }),
                "ops: not delivered: the channel does not work (19001 bad\\u{1b}token): make a new robot\n",
                Exit::Failed,
            ),
        ] {
            let mut out = Vec::new();
            assert_eq!(verdict("ops", &outcome, &mut out).unwrap(), exit);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
