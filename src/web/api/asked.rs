//! What can be asked, for the description of the API.

use serde::Deserialize;
use utoipa::IntoParams;
use utoipa::openapi::schema::{
    KnownFormat, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, Type,
};

/// What a list of certificates can be asked for. Everything that is said must hold; an empty text says nothing.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it says what may be asked; what is asked is read one by one")]
pub(super) struct ListParameters {
    /// The source; `*` and `?` stand for any text and any letter.
    source: Option<String>,
    /// The scope, likewise.
    scope: Option<String>,
    /// Where it was looked at, likewise.
    place: Option<String>,
    /// The issuer, likewise.
    issuer: Option<String>,
    /// The serial, likewise.
    serial: Option<String>,
    /// The organizational unit, likewise.
    organizational_unit: Option<String>,
    /// What it is used for.
    #[param(schema_with = kind)]
    kind: Option<String>,
    /// Its state.
    #[param(schema_with = status)]
    status: Option<String>,
    /// The rung that it stands on.
    #[param(pattern = "^(expired|[1-9][0-9]{0,3}[dhms])$")]
    rung: Option<String>,
    /// It expires then or later: a day or a time.
    #[param(schema_with = day_or_time)]
    ends_from: Option<String>,
    /// It expires then or earlier: a day, which is whole, or a time.
    #[param(schema_with = day_or_time)]
    ends_to: Option<String>,
    /// It expires within this time, or has.
    #[param(pattern = "^[0-9]{1,6}[smhdw]$")]
    within: Option<String>,
    /// Whether it is not known when it expires.
    undated: Option<bool>,
    /// Whether it is served although a newer one is known.
    not_deployed: Option<bool>,
    /// Whether nothing is said of it for a while.
    snoozed: Option<bool>,
    /// A label as `NAME:VALUE`; there may be several.
    #[param(pattern = "^([^:]+:.*)?$")]
    label: Option<String>,
    /// A part of a name, or the first eight or more digits of an id.
    q: Option<String>,
    /// The order; with `-` it is turned round.
    #[param(schema_with = sort)]
    sort: Option<String>,
    /// Certificates in a page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// `csv`, or `json`; without `limit` the whole list is one answer.
    #[param(schema_with = format)]
    format: Option<String>,
}

/// What the alerts can be asked for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it says what may be asked; what is asked is read one by one")]
pub(super) struct AlertParameters {
    /// Alerts in a page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[param(value_type = i64, minimum = 0, maximum = 4_294_967_295_i64)]
    cursor: Option<u32>,
}

/// What the plan can be asked for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it says what may be asked; what is asked is read one by one")]
pub(super) struct PlanParameters {
    /// How many days to look ahead.
    #[param(minimum = 1, maximum = 400, default = 30)]
    days: Option<u32>,
    /// Only what this channel will be told.
    channel: Option<String>,
}

/// What a route can be asked for: one of `certificate` and `event`.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it says what may be asked; what is asked is read one by one")]
pub(super) struct RouteParameters {
    /// The id of a certificate: what is said of it now, or at its next rung.
    certificate: Option<String>,
    /// A kind of event that is not about a certificate.
    event: Option<String>,
    /// The source that it is about.
    source: Option<String>,
    /// The scope that it is about.
    scope: Option<String>,
    /// The place that it is about.
    place: Option<String>,
    /// The channel that it is about.
    channel: Option<String>,
}

/// What the audit can be asked for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it says what may be asked; what is asked is read one by one")]
pub(super) struct AuditParameters {
    /// What happened then or later.
    #[param(format = DateTime)]
    since: Option<String>,
    /// What is about the certificate with this id, or with one of these, with commas between them.
    certificate: Option<String>,
    /// What comes after: `next` of the answer before.
    after: Option<i64>,
}

/// What the outbox can be asked for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it says what may be asked; what is asked is read one by one")]
pub(super) struct OutboxParameters {
    /// How far messages have come; without it those that wait and those that were given up.
    #[param(schema_with = state)]
    state: Option<String>,
    /// Only those for this channel.
    channel: Option<String>,
    /// Messages at most.
    #[param(minimum = 1, maximum = 1000, default = 200)]
    limit: Option<u32>,
}

/// What is counted together.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it says what may be asked; what is asked is read one by one")]
pub(super) struct TimelineParameters {
    /// Days or months.
    #[param(schema_with = by)]
    by: Option<String>,
}

/// Returns one of a few words.
fn one_of(words: &[&str]) -> Schema {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words.to_vec())).into()
}

fn kind() -> Schema {
    one_of(&["device", "ca", "server", "client"])
}

fn status() -> Schema {
    one_of(&["active", "inactive", "pending", "revoked", "superseded", "retired", "undated"])
}

fn sort() -> Schema {
    one_of(&[
        "not_after",
        "-not_after",
        "urgency",
        "-urgency",
        "kind",
        "-kind",
        "status",
        "-status",
        "source",
        "-source",
        "name",
        "-name",
    ])
}

fn format() -> Schema {
    one_of(&["json", "csv"])
}

fn state() -> Schema {
    one_of(&["waiting", "dead", "sent"])
}

fn by() -> Schema {
    one_of(&["day", "month"])
}

fn day_or_time() -> Schema {
    let text = |format| {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(format)))
    };
    let either = OneOfBuilder::new();
    either.item(text(KnownFormat::Date)).item(text(KnownFormat::DateTime)).into()
}
