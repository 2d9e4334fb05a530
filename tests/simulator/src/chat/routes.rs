//! From an address to a robot.

use std::collections::HashMap;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use axum::routing::{MethodRouter, post};

use super::robots::Arrival;
use super::{Chat, Service, ntfy, pagerduty};

/// Returns the routes of all services.
pub(super) fn routes(chat: Chat) -> Router {
    Router::new()
        .route("/slack/services/{team}/{bot}/{token}", post(slack))
        .route("/feishu/open-apis/bot/v2/hook/{token}", named_by_path(Service::Feishu))
        .route("/dingtalk/robot/send", named_by_query(Service::DingTalk, "access_token"))
        .route("/wecom/cgi-bin/webhook/send", named_by_query(Service::WeCom, "key"))
        .route("/webhook/{name}", named_by_path(Service::Webhook))
        .route("/discord/api/webhooks/{id}/{token}", post(discord))
        .route("/teams/workflows/{flow}/triggers/manual/paths/invoke", post(teams))
        .route("/mattermost/hooks/{token}", named_by_path(Service::Mattermost))
        .route("/google-chat/v1/spaces/{space}/messages", post(google_chat))
        .route("/telegram/{bot}/sendMessage", post(telegram))
        .route("/", named_by_body(Service::Ntfy, ntfy::topic))
        .route("/v2/enqueue", named_by_body(Service::PagerDuty, pagerduty::routing_key))
        .with_state(chat)
}

async fn slack(
    State(chat): State<Chat>,
    Path((team, bot, token)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let room = format!("{team}/{bot}/{token}");
    chat.receive(Arrival { service: Service::Slack, room, query: HashMap::new(), headers, body })
        .await
}

async fn discord(
    State(chat): State<Chat>,
    Path((_, token)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (service, query) = (Service::Discord, query(&uri));
    chat.receive(Arrival { service, room: token, query, headers, body }).await
}

async fn teams(
    State(chat): State<Chat>,
    Path(flow): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (service, query) = (Service::Teams, query(&uri));
    chat.receive(Arrival { service, room: flow, query, headers, body }).await
}

async fn google_chat(
    State(chat): State<Chat>,
    Path(space): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (service, query) = (Service::GoogleChat, query(&uri));
    chat.receive(Arrival { service, room: space, query, headers, body }).await
}

async fn telegram(
    State(chat): State<Chat>,
    Path(bot): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let room = bot.trim_start_matches("bot").to_owned();
    let (service, query) = (Service::Telegram, HashMap::new());
    chat.receive(Arrival { service, room, query, headers, body }).await
}

fn named_by_body(service: Service, name: fn(&[u8]) -> String) -> MethodRouter<Chat> {
    post(move |State(chat): State<Chat>, headers: HeaderMap, body: Bytes| async move {
        let (room, query) = (name(&body), HashMap::new());
        chat.receive(Arrival { service, room, query, headers, body }).await
    })
}

fn named_by_path(service: Service) -> MethodRouter<Chat> {
    post(
        move |State(chat): State<Chat>,
              Path(room): Path<String>,
              headers: HeaderMap,
              body: Bytes| async move {
            let query = HashMap::new();
            chat.receive(Arrival { service, room, query, headers, body }).await
        },
    )
}

fn named_by_query(service: Service, parameter: &'static str) -> MethodRouter<Chat> {
    post(move |State(chat): State<Chat>, uri: Uri, headers: HeaderMap, body: Bytes| async move {
        let query = query(&uri);
        let room = query.get(parameter).cloned().unwrap_or_default();
        chat.receive(Arrival { service, room, query, headers, body }).await
    })
}

fn query(uri: &Uri) -> HashMap<String, String> {
    let text = uri.query().unwrap_or_default();
    url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}
