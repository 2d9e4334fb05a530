//! What is on every page.

use std::sync::LazyLock;

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};
use xxhash_rust::xxh3::xxh3_64;

use super::links::with_query;
use super::reader::Reader;
use super::texts::moment;
use super::{SCRIPT, STYLE};
use crate::catalog::CatalogError;
use crate::expiry::Language;

/// The parts of the page, which its first line leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Overview,
    Certificates,
    Sources,
    Notifications,
}

impl Part {
    const ALL: [Self; 4] = [Self::Overview, Self::Certificates, Self::Sources, Self::Notifications];

    const fn path(self) -> &'static str {
        match self {
            Self::Overview => "/",
            Self::Certificates => "/certificates",
            Self::Sources => "/sources",
            Self::Notifications => "/notifications",
        }
    }

    const fn name(self, reader: &Reader) -> &'static str {
        match self {
            Self::Overview => reader.say("Overview", "概览"),
            Self::Certificates => reader.say("Certificates", "证书"),
            Self::Sources => reader.say("Sources", "来源"),
            Self::Notifications => reader.say("Notifications", "通知"),
        }
    }
}

/// Addresses that change with what they lead to.
static ASSETS: LazyLock<[String; 2]> = LazyLock::new(|| {
    let address = |path: &str, content: &str| format!("{path}?{:x}", xxh3_64(content.as_bytes()));
    [address("/style.css", STYLE), address("/page.js", SCRIPT)]
});

/// Why there is no page as asked.
pub(super) struct Failure {
    status: StatusCode,
    sentence: String,
}

impl Failure {
    pub(super) fn new(status: StatusCode, sentence: impl Into<String>) -> Self {
        Self { status, sentence: sentence.into() }
    }

    pub(super) fn late(reader: &Reader) -> Self {
        let sentence = reader.say(
            "The store did not answer in time. Try again in a moment.",
            "存储未及时响应，请稍后重试。",
        );
        Self::new(StatusCode::SERVICE_UNAVAILABLE, sentence)
    }

    /// Answers with a page that says what is wrong and where to go on.
    pub(super) fn answer(self, reader: &Reader, part: Part) -> Response {
        let Self { status, sentence } = self;
        let body = html! {
            h1 { (reader.say("This cannot be shown", "无法显示")) }
            p.error role="alert" { (sentence) }
            p { a href=(part.path()) { (reader.say("Begin again at", "返回")) " " (part.name(reader)) } }
        };
        (status, answer(reader, part, reader.say("Error", "错误"), &body)).into_response()
    }
}

impl From<CatalogError> for Failure {
    fn from(error: CatalogError) -> Self {
        let status = match error {
            CatalogError::Mistaken(_) => StatusCode::BAD_REQUEST,
            CatalogError::NoSuchPage(_) => StatusCode::NOT_FOUND,
            CatalogError::Store(_) | CatalogError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            CatalogError::Broken => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

/// Answers with a whole page.
pub(super) fn answer(reader: &Reader, part: Part, title: &str, body: &Markup) -> Response {
    let page = whole(reader, part, title, body).into_string();
    ([(CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
}

fn whole(reader: &Reader, part: Part, title: &str, body: &Markup) -> Markup {
    let [style, script] = &*ASSETS;
    let language = reader.say("en", "zh-CN");
    html! {
        (DOCTYPE)
        html lang=(language) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · notafter" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href=(style);
                script src=(script) defer {}
            }
            body {
                a.skip href="#main" { (reader.say("To the content", "跳到正文")) }
                (header(reader, part))
                main #main tabindex="-1" { (body) }
                (footer(reader))
                (keys(reader))
            }
        }
    }
}

fn header(reader: &Reader, part: Part) -> Markup {
    html! {
        header.top {
            a.brand href="/" { "notafter" }
            nav aria-label=(reader.say("Main", "主导航")) {
                @for other in Part::ALL {
                    a href=(other.path()) aria-current=[(other == part).then_some("page")] {
                        (other.name(reader))
                    }
                }
            }
            @if part != Part::Certificates {
                form.find role="search" method="get" action="/certificates" {
                    input type="search" name="q" data-search placeholder=(search_words(reader))
                        aria-label=(search_words(reader));
                }
            }
            (switch(reader))
        }
    }
}

/// Returns what stands in a field to search in.
pub(super) const fn search_words(reader: &Reader) -> &'static str {
    reader.say("Name, serial or id", "名称、序列号或 ID")
}

/// The language that is not shown, in its own words.
fn switch(reader: &Reader) -> Markup {
    let (to, tag, word) = match reader.language {
        Language::En => (Language::Zh, "zh-CN", "中文"),
        Language::Zh => (Language::En, "en", "English"),
    };
    let pairs = [("to", to.as_str()), ("back", reader.here.as_str())];
    html! { a.switch lang=(tag) hreflang=(tag) href=(with_query("/language", pairs)) { (word) } }
}

fn footer(reader: &Reader) -> Markup {
    html! {
        footer {
            span #as-of { (reader.say("As of", "截至")) " " (moment(reader.now)) }
            a href="/metrics" { (reader.say("Metrics", "指标")) }
            a href="/api/v1/certificates?limit=100" { "API" }
            button type="button" data-keys hidden { (reader.say("Keys", "快捷键")) " " kbd { "?" } }
            span { "notafter " (env!("CARGO_PKG_VERSION")) }
        }
    }
}

/// What the script does for whoever has it.
fn keys(reader: &Reader) -> Markup {
    let keys = [
        ("/", reader.say("search", "搜索")),
        ("j", reader.say("next certificate", "下一个证书")),
        ("k", reader.say("certificate before", "上一个证书")),
        ("Enter", reader.say("open it", "打开")),
        ("?", reader.say("these keys", "显示快捷键")),
        ("Esc", reader.say("close", "关闭")),
    ];
    html! {
        dialog #keys aria-labelledby="keys-title" {
            h2 #keys-title { (reader.say("Keys", "快捷键")) }
            dl { @for (key, meaning) in keys { dt { kbd { (key) } } dd { (meaning) } } }
            form method="dialog" { button { (reader.say("Close", "关闭")) } }
        }
    }
}
