//! `notafter check --against-running`: what would a reload change?

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context as _, bail};

use super::daemon::{Asked, Daemon};
use super::file::{File, Mistaken};
use super::output::{printable, text};
use super::{Console, Exit};
use crate::web::{Compared, WouldChange};

/// Events that are named of those that go to the same channels.
const NAMED: usize = 6;

const NO_DAEMON: &str = "no daemon answers on its control socket, so there is nothing to compare with; `notafter check` alone \
                         looks at the configuration";

/// Asks the running daemon what a reload with this file would change, and prints it.
pub(super) async fn against(
    file: &File,
    socket: Option<&Path>,
    console: &mut Console<'_>,
) -> anyhow::Result<Exit> {
    let candidates = &file.config.server.sockets.candidates;
    let daemon = Daemon::find(socket, candidates).await?.context(NO_DAEMON)?;
    let (configuration, shown) = (file.text().to_owned(), Some(file.path().to_owned()));
    let asked = Compared { configuration, file: shown };
    match daemon.try_post("/api/v1/comparison", &asked).await? {
        Asked::Answered(change) => print(&change, console.out)?,
        Asked::Refused(422, mistakes) => {
            let lines = mistakes.lines().map(|line| printable(line) + "\n").collect::<String>();
            console.err.write_all(lines.as_bytes())?;
            return Err(Mistaken.into());
        }
        Asked::Refused(_, detail) => bail!("{detail}"),
    }
    Ok(Exit::Done)
}

fn print(change: &WouldChange, out: &mut dyn Write) -> io::Result<()> {
    if change.is_nothing() {
        return writeln!(out, "a reload would change nothing");
    }
    writeln!(out, "a reload would change:")?;
    for difference in &change.differences {
        writeln!(out, "  {}", printable(difference))?;
    }
    for left in &change.until_restart {
        writeln!(out, "  not yet: {}", printable(left))?;
    }
    if change.forgotten > 0 {
        writeln!(out, "forgotten: {} certificates, whose sources are gone", change.forgotten)?;
    }
    let WouldChange { other_ladder, known, looked_at, .. } = change;
    writeln!(out, "ladders: {other_ladder} of {known} certificates would stand on another one")?;
    let moved: u64 = change.rerouted.iter().map(|way| way.certificates).sum();
    writeln!(
        out,
        "routes: {moved} of the {looked_at} certificates looked at, those that expire soonest, would be told of elsewhere"
    )?;
    for way in &change.rerouted {
        writeln!(out, "  {} -> {}: {}", names(&way.now), names(&way.then), what(way))?;
    }
    Ok(())
}

fn names(channels: &[String]) -> String {
    if channels.is_empty() { "nobody".to_owned() } else { text(&channels.join(", ")) }
}

fn what(way: &crate::web::OtherWay) -> String {
    let mut parts = Vec::new();
    if way.certificates > 0 {
        parts.push(format!("{} certificates", way.certificates));
    }
    parts.extend(way.events.iter().take(NAMED).map(|event| text(event)));
    match way.events.len().saturating_sub(NAMED) {
        0 => {}
        more => parts.push(format!("{more} kinds of events more")),
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::OtherWay;

    fn printed(change: &WouldChange) -> String {
        let mut out = Vec::new();
        print(change, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_would_change_is_counted_and_named() {
        let mut change = WouldChange {
            differences: Vec::new(),
            until_restart: Vec::new(),
            known: 340,
            forgotten: 0,
            other_ladder: 0,
            looked_at: 300,
            rerouted: Vec::new(),
        };
        assert_eq!(printed(&change), "a reload would change nothing\n");
        change.differences = vec!["source web is gone".to_owned(), "the routes differ".to_owned()];
        change.until_restart = vec!["`store.url` stays sqlite:x until the next start".to_owned()];
        (change.forgotten, change.other_ladder) = (40, 12);
        let way = |now: &[&str], then: &[&str], certificates, events: usize| OtherWay {
            now: now.iter().map(|it| (*it).to_owned()).collect(),
            then: then.iter().map(|it| (*it).to_owned()).collect(),
            certificates,
            events: (0..events).map(|number| format!("source.stale of s{number}")).collect(),
        };
        change.rerouted = vec![way(&["ops"], &["ops", "room"], 7, 1), way(&["ops"], &[], 0, 8)];
        insta::assert_snapshot!(printed(&change), @r"
        a reload would change:
          source web is gone
          the routes differ
          not yet: `store.url` stays sqlite:x until the next start
        forgotten: 40 certificates, whose sources are gone
        ladders: 12 of 340 certificates would stand on another one
        routes: 7 of the 300 certificates looked at, those that expire soonest, would be told of elsewhere
          ops -> ops, room: 7 certificates, source.stale of s0
          ops -> nobody: source.stale of s0, source.stale of s1, source.stale of s2, source.stale of s3, source.stale of s4, source.stale of s5, 2 kinds of events more
        ");
    }
}
