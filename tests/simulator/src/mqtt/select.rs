//! What a request for device certificates asks for.

use serde::Deserialize;

use crate::tencent::Refusal;

/// The parameters of `DescribeDeviceCertificates`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct ListRequest {
    pub instance_id: Option<String>,
    pub filters: Option<Vec<Filter>>,
    pub limit: Option<i64>,
    pub offset: Option<i64>,
    pub order_by: Option<String>,
}

/// A name and the values it may have. Values are strings, even of numbers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct Filter {
    pub name: String,
    pub values: Vec<String>,
}

/// An order of rows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Created { descending: bool },
    Updated { descending: bool },
}

/// A condition on one field: any of its values.
pub(super) enum Condition {
    Client(Vec<String>),
    Ca(Vec<String>),
    Serial(Vec<String>),
    CommonName(Vec<String>),
    Unit(Vec<String>),
    Status(Vec<String>),
}

/// How a fault makes the filter by end wrong.
#[derive(Clone, Copy, Default)]
pub(super) struct Misreading {
    /// The filter is ignored, as older deployments may.
    pub ignored: bool,
    /// The values are taken for seconds.
    pub seconds: bool,
}

/// What to list.
pub(super) struct Selection {
    /// Ends in whole seconds, both included.
    pub window: Option<(i64, i64)>,
    /// All of them hold.
    pub conditions: Vec<Condition>,
    pub order: Order,
    pub offset: u64,
    pub limit: u64,
}

impl Selection {
    /// Checks a request as the provider does.
    pub(super) fn of(request: &ListRequest, misreading: Misreading) -> Result<Self, Refusal> {
        let (offset, limit) = paging(request.offset, request.limit)?;
        let mut window: Option<(i64, i64)> = None;
        let mut conditions = Vec::new();
        for filter in request.filters.iter().flatten() {
            if filter.values.is_empty() {
                return Err(Refusal::value("Filters", "`Values` of a filter is empty"));
            }
            match bound(filter, misreading)? {
                Some((low, high)) => {
                    let (least, most) = window.unwrap_or((-FAR, FAR));
                    window = Some((least.max(low), most.min(high)));
                }
                None => conditions.push(condition(filter)?),
            }
        }
        if misreading.ignored {
            window = None;
        }
        Ok(Self { window, conditions, order: order(request.order_by.as_deref())?, offset, limit })
    }
}

/// Returns offset and limit with the provider's defaults, and refuses what it refuses.
pub(super) fn paging(offset: Option<i64>, limit: Option<i64>) -> Result<(u64, u64), Refusal> {
    let limit = limit.unwrap_or(20);
    if !(1..=100).contains(&limit) {
        return Err(Refusal::value("Limit", "`Limit` must be from 1 to 100"));
    }
    let offset = u64::try_from(offset.unwrap_or(0))
        .map_err(|_| Refusal::value("Offset", "`Offset` must not be negative"))?;
    Ok((offset, limit as u64))
}

/// An end that no certificate has, and that arithmetic on ends survives.
const FAR: i64 = 1 << 60;

/// A filter by end as inclusive bounds in whole seconds. Ends are whole seconds, so rounding inwards is exact.
fn bound(filter: &Filter, misreading: Misreading) -> Result<Option<(i64, i64)>, Refusal> {
    let is_start = match filter.name.as_str() {
        "NotAfterStart" => true,
        "NotAfterEnd" => false,
        _ => return Ok(None),
    };
    let unit = if misreading.seconds { 1 } else { 1000 };
    let values = filter
        .values
        .iter()
        .map(|value| value.trim().parse::<i64>().map(|value| value.clamp(-FAR, FAR)))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| Refusal::value("Filters", "a time is not a number"))?;
    let least = values.iter().copied().min().unwrap_or(0);
    let most = values.iter().copied().max().unwrap_or(0);
    let up = |value: i64| -(-value).div_euclid(unit);
    Ok(Some(if is_start { (up(least), FAR) } else { (-FAR, most.div_euclid(unit)) }))
}

fn condition(filter: &Filter) -> Result<Condition, Refusal> {
    let values = filter.values.clone();
    Ok(match filter.name.as_str() {
        "ClientId" => Condition::Client(values),
        "CaSn" => Condition::Ca(values),
        "DeviceCertificateSn" => Condition::Serial(values),
        "DeviceCertificateCn" => Condition::CommonName(values),
        "OrganizationalUnit" => Condition::Unit(values),
        "Status" => {
            const KNOWN: [&str; 4] = ["ACTIVE", "INACTIVE", "REVOKED", "PENDING_ACTIVATION"];
            if values.iter().any(|value| !KNOWN.contains(&value.as_str())) {
                return Err(Refusal::value("Filters", "unknown status"));
            }
            Condition::Status(values)
        }
        _ => return Err(Refusal::value("Filters", "unknown filter name")),
    })
}

fn order(word: Option<&str>) -> Result<Order, Refusal> {
    Ok(match word {
        // The default order is not documented; the example in the vendor's schema is this one.
        None | Some("CREATE_TIME_DESC") => Order::Created { descending: true },
        Some("CREATE_TIME_ASC") => Order::Created { descending: false },
        Some("UPDATE_TIME_DESC") => Order::Updated { descending: true },
        Some("UPDATE_TIME_ASC") => Order::Updated { descending: false },
        Some(_) => return Err(Refusal::value("OrderBy", "unknown order")),
    })
}
