//! Chains as endpoints serve them.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::columns::{self, name, remaining, text};
use crate::expiry::text::iso;
use crate::expiry::{Facts, Timestamp};

const HEADER: [&str; 5] = ["ENDPOINT", "EXPIRES", "IN", "KIND", "NAME"];

/// Prints the chain of each endpoint in the order in which it is served: endpoints of which something expires soonest first.
pub(in crate::cli) fn print(rows: &[Facts], now: Timestamp, out: &mut dyn Write) -> io::Result<()> {
    let mut chains = BTreeMap::<&str, Vec<&Facts>>::new();
    for row in rows {
        chains.entry(&row.place).or_default().push(row);
    }
    if chains.is_empty() {
        return writeln!(out, "no certificates");
    }
    let mut chains: Vec<_> = chains.into_iter().collect();
    chains
        .sort_by_key(|(place, chain)| (chain.iter().filter_map(|row| row.not_after).min(), *place));
    let rows: Vec<_> = chains.iter().flat_map(|(place, chain)| cells(place, chain, now)).collect();
    columns::print(HEADER, &rows, out)
}

/// Returns a line for each certificate; the endpoint stands in the first.
fn cells(place: &str, chain: &[&Facts], now: Timestamp) -> Vec<[String; 5]> {
    let cells = |(position, row): (usize, &&Facts)| {
        [
            if position == 0 { text(place) } else { String::new() },
            row.not_after.map_or_else(|| "unknown".to_owned(), iso),
            row.not_after.map_or_else(String::new, |end| remaining(end.since(now))),
            row.kind.to_string(),
            text(&name(row)),
        ]
    };
    chain.iter().enumerate().map(cells).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expiry::{Kind, Labels, Status};

    fn row(place: &str, kind: Kind, days: i64, name: &str) -> Facts {
        let end = Timestamp::from_seconds(1_767_225_600 + days * 86_400);
        Facts {
            source: "tls".to_owned(),
            scope: "all".to_owned(),
            issuer: String::new(),
            serial: name.to_owned(),
            place: place.to_owned(),
            fingerprint: None,
            collides: false,
            kind,
            status: Status::Active,
            common_name: name.to_owned(),
            holder: name.to_owned(),
            unit: String::new(),
            not_before: None,
            not_after: Some(end),
            labels: Labels::new(),
        }
    }

    #[test]
    fn chains_stand_as_they_are_served_and_the_soonest_first() {
        let rows = [
            row("a.example:443/a.example", Kind::Server, 70, "a.example"),
            row("a.example:443/a.example", Kind::Ca, 400, "R10"),
            row("m.example:8883/m.example", Kind::Server, 90, "\u{1b}[2J"),
            row("m.example:8883/m.example", Kind::Ca, -3, "Old"),
        ];
        let mut out = Vec::new();
        print(&rows, Timestamp::from_seconds(1_767_225_600), &mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        ENDPOINT                  EXPIRES               IN      KIND    NAME
        m.example:8883/m.example  2026-04-01T00:00:00Z  90d     server  \u{1b}[2J
                                  2025-12-29T00:00:00Z  3d ago  ca      Old
        a.example:443/a.example   2026-03-12T00:00:00Z  70d     server  a.example
                                  2027-02-05T00:00:00Z  400d    ca      R10
        ");
        let mut out = Vec::new();
        print(&[], Timestamp::from_seconds(0), &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "no certificates\n");
    }
}
