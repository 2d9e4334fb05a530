//! The paged call for device certificates, and the probe of its filter by time.

use serde::Serialize;

use super::rows;
use super::stated_expiry::Agreement;
use crate::client::tencent::{Fault, Tencent};
use crate::client::{Action, CallError};
use crate::expiry::{Seen, Sighting, Timestamp};
use crate::source::{Page, Span};

/// Lists the certificates of the devices of an instance.
pub(super) const LIST_DEVICES: Action = Action::new("DescribeDeviceCertificates");

/// The most rows of one page.
pub(super) const LIMIT: u64 = 100;
/// Certificates that the filter is tried out with.
const SAMPLES: usize = 3;
/// The last millisecond that a certificate can end in. Nothing may end at or after it.
const END_OF_TIME: i64 = 253_402_300_799_999;

/// Every end, in a filter.
const EVER: Span = (Timestamp::from_seconds(1), Timestamp::from_seconds(END_OF_TIME / 1000));

/// How the filter by the end of a certificate has to be written. The documentation gives no unit, and older
/// deployments ignore it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Millis,
    Seconds,
}

/// What of the list is asked for.
#[derive(Clone, Debug)]
pub(super) struct PageQuery {
    /// The ends that are asked for; `None`: all, and what has no end.
    pub(super) within: Option<Span>,
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
pub(super) async fn page(
    client: &Tencent,
    instance: &str,
    query: PageQuery,
) -> Result<Page, CallError> {
    call(client, instance, query, |_| Ok(())).await.map(|(page, ())| page)
}

/// Reads one page, and something else of the same answer.
async fn call<T: Send + 'static>(
    client: &Tencent,
    instance: &str,
    query: PageQuery,
    more: impl Fn(&[u8]) -> Result<T, Fault> + Clone + Send + 'static,
) -> Result<(Page, T), CallError> {
    let request = Request {
        instance_id: instance,
        filters: filters(query.within, query.unit),
        limit: query.limit,
        offset: query.offset,
        // New rows come last, so that they do not move the ones already read.
        order_by: "CREATE_TIME_ASC",
    };
    let read = move |body: &[u8]| {
        let page = rows::page(body, query.within)?;
        let received = u64::try_from(page.rows.len()).unwrap_or(u64::MAX);
        if received > query.limit {
            let text = format!("{received} rows where {} were asked for", query.limit);
            return Err(Fault::Malformed(text));
        }
        Ok((page, more(body)?))
    };
    client.call(LIST_DEVICES, &request, read).await
}

/// Whole seconds mean the same however the server rounds: certificates end at whole seconds.
fn filters(within: Option<Span>, unit: Unit) -> Vec<Filter> {
    let written = |time: Timestamp| match unit {
        Unit::Millis => time.seconds().saturating_mul(1000).to_string(),
        Unit::Seconds => time.seconds().to_string(),
    };
    let bounds = |(from, to)| [("NotAfterStart", from), ("NotAfterEnd", to)];
    let named = within.into_iter().flat_map(bounds);
    named.map(|(name, bound)| Filter { name, values: [written(bound)] }).collect()
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
    let query = PageQuery { within: None, unit: Unit::Millis, offset: 0, limit };
    let (sample, agreement) = call(client, instance, query, rows::agreement).await?;
    match agreement {
        Agreement::Unit | Agreement::Zone { .. } => return Ok(Probe::Contradicted(agreement)),
        Agreement::Other { .. } => tracing::warn!(instance, "{agreement}"),
        Agreement::Same | Agreement::Unknown => {}
    }
    // The first page may hold none whose end the list gives, however many there are.
    let ever = PageQuery { within: Some(EVER), unit: Unit::Millis, offset: 0, limit };
    let filtered =
        if listed(&sample).is_empty() { Some(page(client, instance, ever).await?) } else { None };
    let tried = listed(filtered.as_ref().unwrap_or(&sample));
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

/// Returns certificates to try a filter with: one whose end only the certificate itself gives is found by none.
fn listed(page: &Page) -> Vec<Sighting<&str>> {
    let seen = page.sightings.seen().map(Seen::sighting);
    seen.filter(|seen| seen.not_after.is_some() && !seen.end_unlisted).take(SAMPLES).collect()
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
    let found = page(client, instance, PageQuery { within, unit, offset: 0, limit }).await?;
    let named = |row: Sighting<&str>| row.serial == seen.serial && row.issuer == seen.issuer;
    // A batch that ends together may be larger than a page.
    let holds = found.sightings.iter().any(named) || found.total > limit;
    let nothing_else = found.sightings.len() == found.rows.len();
    Ok(holds && nothing_else && !found.rows.is_empty())
}

/// A window after the end of time must be empty, or else the filter is ignored.
async fn excludes(client: &Tencent, instance: &str, unit: Unit) -> Result<bool, CallError> {
    let end = Timestamp::from_millis(END_OF_TIME).plus(1);
    let within = Some((end, end));
    let found = page(client, instance, PageQuery { within, unit, offset: 0, limit: 1 }).await?;
    Ok(found.total == 0 && found.rows.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Span =
        (Timestamp::from_seconds(1_763_827_200), Timestamp::from_seconds(1_766_419_200));

    #[test]
    fn a_request_is_written_as_the_signing_vector_has_it() {
        let request = Request {
            instance_id: "mqtt-qgzaawn9",
            filters: filters(Some(SPAN), Unit::Millis),
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
