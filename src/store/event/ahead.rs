//! What is said of what is ahead, as it is written.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::rows::{FactsRow, facts, facts_row};
use crate::expiry::{Facts, Month, Topic};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AheadRow<'a> {
    EndsFirst {
        facts: Box<FactsRow<'a>>,
        leaves: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        places: Option<u64>,
    },
    Cliff {
        source: Cow<'a, str>,
        month: i32,
        ending: u64,
        renewed: u64,
    },
}

pub(super) fn ends_first_row(facts: &Facts, leaves: u64, places: Option<u64>) -> AheadRow<'_> {
    AheadRow::EndsFirst { facts: Box::new(facts_row(facts)), leaves, places }
}

pub(super) fn cliff_row(source: &str, month: Month, ending: u64, renewed: u64) -> AheadRow<'_> {
    AheadRow::Cliff { source: source.into(), month: month.index(), ending, renewed }
}

pub(super) fn ahead(row: AheadRow<'_>) -> Result<Topic, String> {
    Ok(match row {
        AheadRow::EndsFirst { facts: row, leaves, places } => {
            Topic::EndsFirst { facts: facts(*row)?, leaves, places }
        }
        AheadRow::Cliff { source, month, ending, renewed } => {
            let (source, month) = (source.into_owned(), Month::from_index(month));
            Topic::FleetCliff { source, month, ending, renewed }
        }
    })
}
