//! What will hurt later, in words.

use super::*;
use crate::expiry::month::Month;

fn holds(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn a_ca_that_ends_first_is_named_with_its_end_the_number_and_what_to_do() {
    let ca = Facts { kind: Kind::Ca, ..facts("Plant CA", 300) };
    let said = said_of(Topic::EndsFirst { facts: ca.clone(), leaves: 40_000, places: Some(3) });
    holds(
        &said,
        &[
            "CA certificate Plant CA expires in 300 days, before 40000 active certificates that it signed",
            "Active certificates that expire after it: 40000",
            "Places with it: 3",
            "What to do: bring a new CA into every trust store",
            "CA 证书 Plant CA 将在 300 天后到期，早于它签发的 40000 张有效证书",
            "晚于它到期的有效证书：40000",
            "处理办法：先将新的 CA 部署到所有信任库",
        ],
    );
    let one = said_of(Topic::EndsFirst { facts: ca, leaves: 1, places: None });
    holds(&one, &["before 1 active certificate that it signed"]);
}

#[test]
fn a_cliff_is_named_with_its_month_what_was_renewed_and_what_to_do() {
    let (source, month) = ("iot-prod".to_owned(), Month::new(2026, 12));
    let said = said_of(Topic::FleetCliff { source, month, ending: 9000, renewed: 300 });
    holds(
        &said,
        &[
            "9000 active certificates of iot-prod expire in 2026-12, the most that were renewed in one month so far is 300",
            "Month (UTC): 2026-12",
            "Most renewed in one month so far: 300",
            "What to do: renew part of them in the months before",
            "?source=iot-prod&ends_from=2026-12-01&ends_to=2026-12-31&status=active",
            "来源 iot-prod 有 9000 张有效证书将在 2026-12 到期，而迄今单月最多续期 300 张",
            "处理办法：提前分批续期",
        ],
    );
}
