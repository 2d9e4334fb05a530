//! What is said of what is ahead, as it is written.

use serde::{Deserialize, Serialize};

use super::rows::{FactsRow, facts, facts_row};
use crate::expiry::{Facts, Topic};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AheadRow<'a> {
    EndsFirst {
        facts: FactsRow<'a>,
        leaves: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        places: Option<u64>,
    },
}

pub(super) fn ends_first_row(facts: &Facts, leaves: u64, places: Option<u64>) -> AheadRow<'_> {
    AheadRow::EndsFirst { facts: facts_row(facts), leaves, places }
}

pub(super) fn ahead(row: AheadRow<'_>) -> Result<Topic, String> {
    Ok(match row {
        AheadRow::EndsFirst { facts: row, leaves, places } => {
            Topic::EndsFirst { facts: facts(row)?, leaves, places }
        }
    })
}
