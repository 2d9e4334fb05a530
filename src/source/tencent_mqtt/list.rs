//! The paged call for device certificates, and the probe of its filter by time.

use serde::Serialize;

use super::rows;
use super::stated_expiry::Agreement;
use crate::client::CallError;
use crate::client::tencent::{Fault, Tencent};
use crate::expiry::{Seen, Sighting, Timestamp};
use crate::source::{IssuerGroup, Page, Span};

/// The most rows of one page.
pub(super) const LIMIT: u64 = 100;
/// Certificates that the filter is tried out with.
const SAMPLES: usize = 3;
/// The last millisecond that a certificate can end in. Nothing may end at or after it.
const END_OF_TIME: i64 = 253_402_300_799_999;

/// How the filter by the end of a certificate has to be written. The documentation gives no unit, and older
/// deployments ignore it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Millis,
    Seconds,
}

/// Which certificates are asked for: all, those that end within a span, or a group of those.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub(super) within: Option<Span>,
    pub(super) group: Option<IssuerGroup>,
}

impl Asked {
    /// Returns whether a row belongs to what was asked for: a filter may be ignored.
    pub(super) fn holds(&self, end: Option<Timestamp>, issuer: &[u8], status: &[u8]) -> bool {
        let in_time = match (self.within, end) {
            (None, _) => true,
            (Some((from, to)), Some(end)) => (from..=to).contains(&end),
            (Some(_), None) => false,
        };
        in_time && self.group.as_ref().is_none_or(|group| is_of(group, issuer, status))
    }
}

fn is_of(group: &IssuerGroup, issuer: &[u8], status: &[u8]) -> bool {
    let named = group.status.map(rows::word);
    group.issuer.as_bytes() == issuer && named.is_none_or(|word| word.as_bytes() == status)
}

/// What of the list is asked for.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) asked: Asked,
    pub(super) unit: Unit,
    pub(super) offset: u64,
    pub(super) limit: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Request<'a> {
    instance_id: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    filters: Vec<Filter>,
    limit: u64,
    offset: u64,
    order_by: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Filter {
    name: &'static str,
    values: [String; 1],
}

/// Reads one page of `instance`.
pub(super) async fn page(client: &Tencent, instance: &str, part: Part) -> Result<Page, CallError> {
    call(client, instance, part, |_| Ok(())).await.map(|(page, ())| page)
}

/// Reads one page, and something else of the same answer.
async fn call<T: Send + 'static>(
    client: &Tencent,
    instance: &str,
    part: Part,
    more: impl Fn(&[u8]) -> Result<T, Fault> + Clone + Send + 'static,
) -> Result<(Page, T), CallError> {
    let request = Request {
        instance_id: instance,
        filters: filters(&part.asked, part.unit),
        limit: part.limit,
        offset: part.offset,
        // New rows come last, so that they do not move the ones already read.
        order_by: "CREATE_TIME_ASC",
    };
    let read = move |body: &[u8]| {
        let page = rows::page(body, &part.asked)?;
        let received = u64::try_from(page.rows.len()).unwrap_or(u64::MAX);
        if received > part.limit {
            let text = format!("{received} rows where {} were asked for", part.limit);
            return Err(Fault::Malformed(text));
        }
        Ok((page, more(body)?))
    };
    client.call("DescribeDeviceCertificates", &request, read).await
}

/// Whole seconds mean the same however the server rounds: certificates end at whole seconds.
fn filters(asked: &Asked, unit: Unit) -> Vec<Filter> {
    let written = |time: Timestamp| match unit {
        Unit::Millis => time.seconds().saturating_mul(1000).to_string(),
        Unit::Seconds => time.seconds().to_string(),
    };
    let of_time = asked.within.map(|(from, to)| {
        [("NotAfterStart", Some(written(from))), ("NotAfterEnd", Some(written(to)))]
    });
    let of_group = asked.group.as_ref().map(|group| {
        let status = group.status.map(|status| rows::word(status).to_owned());
        [("CaSn", Some(group.issuer.as_ref().to_owned())), ("Status", status)]
    });
    let named = of_time.into_iter().chain(of_group).flatten();
    named.filter_map(|(name, value)| Some(Filter { name, values: [value?] })).collect()
}

/// What trying out the filter showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// It works in this unit.
    Works(Unit),
    /// It is ignored, or understood in a way of its own.
    Untrusted,
    /// There is no certificate to try it with.
    NothingToTry,
    /// Every end is stated in another unit or zone than documented: alerts would come at wrong times.
    Contradicted(Agreement),
}

/// Finds out how the filter works on `instance`.
pub(super) async fn probe(
    client: &Tencent,
    instance: &str,
    limit: u64,
) -> Result<Probe, CallError> {
    let part = Part { asked: Asked::default(), unit: Unit::Millis, offset: 0, limit };
    let (sample, agreement) = call(client, instance, part, rows::agreement).await?;
    match agreement {
        Agreement::Unit | Agreement::Zone { .. } => return Ok(Probe::Contradicted(agreement)),
        Agreement::Other { .. } => tracing::warn!(instance, "{agreement}"),
        Agreement::Same | Agreement::Unknown => {}
    }
    let dated = sample.sightings.seen().filter(|seen| seen.not_after().is_some());
    // One may have its end from its PEM alone, which no filter knows of.
    let tried: Vec<_> = dated.take(SAMPLES).map(Seen::sighting).collect();
    if tried.is_empty() {
        return Ok(Probe::NothingToTry);
    }
    for seen in &tried {
        for unit in [Unit::Millis, Unit::Seconds] {
            if finds(client, instance, unit, seen, limit).await?
                && excludes(client, instance, unit).await?
            {
                return Ok(Probe::Works(unit));
            }
        }
    }
    tracing::warn!(
        instance,
        "the provider ignores the filter by time, so that near scans read everything"
    );
    Ok(Probe::Untrusted)
}

/// A window of one second must hold `seen`, and nothing that ends at another time.
async fn finds(
    client: &Tencent,
    instance: &str,
    unit: Unit,
    seen: &Sighting<&str>,
    limit: u64,
) -> Result<bool, CallError> {
    let within = seen.not_after.map(|end| (end, end));
    let asked = Asked { within, group: None };
    let found = page(client, instance, Part { asked, unit, offset: 0, limit }).await?;
    let named = |row: Sighting<&str>| row.serial == seen.serial && row.issuer == seen.issuer;
    // A batch that ends together may be larger than a page.
    let holds = found.sightings.iter().any(named) || found.total > limit;
    let nothing_else = found.sightings.len() == found.rows.len();
    Ok(holds && nothing_else && !found.rows.is_empty())
}

/// A window after the end of time must be empty, or else the filter is ignored.
async fn excludes(client: &Tencent, instance: &str, unit: Unit) -> Result<bool, CallError> {
    let end = Timestamp::from_millis(END_OF_TIME).plus(1);
    let asked = Asked { within: Some((end, end)), group: None };
    let found = page(client, instance, Part { asked, unit, offset: 0, limit: 1 }).await?;
    Ok(found.total == 0 && found.rows.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expiry::Status;

    const SPAN: Span =
        (Timestamp::from_seconds(1_763_827_200), Timestamp::from_seconds(1_766_419_200));

    #[test]
    fn a_lot_is_asked_for_by_its_issuer_and_the_providers_word() {
        for (status, expected) in [
            (None, r#"[{"Name":"CaSn","Values":["1b1e"]}]"#),
            (
                Some(Status::Pending),
                r#"[{"Name":"CaSn","Values":["1b1e"]},{"Name":"Status","Values":["PENDING_ACTIVATION"]}]"#,
            ),
        ] {
            let asked =
                Asked { within: None, group: Some(IssuerGroup { issuer: "1b1e".into(), status }) };
            let written = serde_json::to_string(&filters(&asked, Unit::Millis)).unwrap();
            assert_eq!(written, expected);
        }
    }

    #[test]
    fn rows_that_were_not_asked_for_are_told_from_those_that_were() {
        let group = |status| Asked {
            within: Some(SPAN),
            group: Some(IssuerGroup { issuer: "1b1e".into(), status }),
        };
        for (status, end, issuer, word, expected) in [
            (None, Some(SPAN.0), "1b1e", "REVOKED", true),
            (Some(Status::Active), Some(SPAN.1), "1b1e", "ACTIVE", true),
            (Some(Status::Active), Some(SPAN.1), "1b1e", "INACTIVE", false),
            (Some(Status::Active), Some(SPAN.1), "1b1f", "ACTIVE", false),
            (None, Some(SPAN.1.plus(1)), "1b1e", "ACTIVE", false),
            (None, None, "1b1e", "ACTIVE", false),
        ] {
            let held = group(status).holds(end, issuer.as_bytes(), word.as_bytes());
            assert_eq!(held, expected, "{status:?} {end:?} {issuer} {word}");
        }
    }

    #[test]
    fn a_request_is_written_as_the_signing_vector_has_it() {
        let request = Request {
            instance_id: "mqtt-qgzaawn9",
            filters: filters(&Asked { within: Some(SPAN), group: None }, Unit::Millis),
            limit: 100,
            offset: 0,
            order_by: "CREATE_TIME_ASC",
        };
        assert_eq!(
            serde_json::to_string(&request).unwrap(),
            r#"{"InstanceId":"mqtt-qgzaawn9","Filters":[{"Name":"NotAfterStart","Values":["1763827200000"]},{"Name":"NotAfterEnd","Values":["1766419200000"]}],"Limit":100,"Offset":0,"OrderBy":"CREATE_TIME_ASC"}"#
        );
    }
}
