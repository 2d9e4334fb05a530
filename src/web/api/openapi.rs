//! `/api/v1/openapi.json`: what the API takes and answers, from the types that do.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use utoipa::OpenApi;

use super::parameters::{self, Pairs};
use super::{
    alerts, audit, calendar, canary, certificates, channels, comparison, digest, explain, outbox,
    plan, routing, snoozes, sources, timeline,
};
use crate::web::Shared;
use crate::web::problem::{Document, Problem};

#[derive(OpenApi)]
#[openapi(
    info(title = "notafter", description = "Which certificates there are, and when they expire."),
    paths(
        certificates::list,
        certificates::one,
        explain::story,
        timeline::timeline,
        sources::list,
        channels::list,
        channels::test,
        canary::fly,
        comparison::compare,
        alerts::list,
        digest::now,
        plan::plan,
        routing::explain,
        audit::list,
        calendar::address,
        outbox::list,
        outbox::retry,
        outbox::drop_one,
        snoozes::list,
        snoozes::make,
        snoozes::end,
        document,
    ),
    components(schemas(Document))
)]
struct Api;

/// Answers this description.
#[utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    responses(
        (status = 200, description = "The description.", body = Object),
        (status = "default", description = "Why not.", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn document(
    State(_): State<Arc<Shared>>,
    Pairs(pairs): Pairs,
) -> Result<impl IntoResponse, Problem> {
    parameters::none(&pairs)?;
    let text = Api::openapi().to_pretty_json().unwrap_or_default();
    Ok(([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache")], text))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_path_is_described() {
        let described: BTreeSet<String> = Api::openapi().paths.paths.into_keys().collect();
        let routes = include_str!("mod.rs").split(".route(\"").skip(1);
        let routes = routes.filter_map(|rest| rest.split('"').next()).map(str::to_owned);
        assert_eq!(described, routes.collect());
    }

    #[test]
    fn every_parameter_of_a_list_is_described() {
        let described = serde_json::to_value(Api::openapi()).unwrap();
        assert_eq!(described["openapi"], "3.1.0");
        let list = &described["paths"]["/api/v1/certificates"]["get"]["parameters"];
        let mut names: Vec<_> =
            list.as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
        let known = crate::catalog::PARAMETERS;
        names.retain(|name| *name != "format");
        assert_eq!(names.iter().collect::<BTreeSet<_>>(), known.iter().collect());
        let fields = &described["components"]["schemas"]["Certificate"]["required"];
        assert_eq!(fields.as_array().unwrap().len(), 20, "{fields}");
    }
}
