//! What a list can be asked for, and what it is asked for now.

use maud::{Markup, html};

use super::layout::search_words;
use super::links::{self, Pairs};
use super::reader::Reader;
use super::texts::shown;
use crate::expiry::{Kind, Rung, Status};
use crate::web::Shared;

/// A choice: its value and its words.
type Choice = (String, String);

/// A parameter that is typed: its name, the words for it in both languages, and how it is typed.
type Typed = (&'static str, &'static str, &'static str, &'static str);

const TYPED: [Typed; 8] = [
    ("scope", "Scope", "范围", "text"),
    ("place", "Place", "位置", "text"),
    ("issuer", "Issuer", "签发者", "text"),
    ("serial", "Serial", "序列号", "text"),
    ("organizational_unit", "Unit", "部门", "text"),
    ("label", "Label (name:value)", "标签（名称:值）", "text"),
    ("ends_from", "Ends from", "到期不早于", "date"),
    ("ends_to", "Ends to", "到期不晚于", "date"),
];

/// What is chosen, and what has no field in the form: its name, and the words for it in both languages.
const CHOSEN: [(&str, &str, &str); 9] = [
    ("q", "Search", "搜索"),
    ("source", "Source", "来源"),
    ("kind", "Kind", "类型"),
    ("status", "Status", "状态"),
    ("rung", "Rung", "阈值"),
    ("within", "Expires within", "到期期限"),
    ("undated", "Without an end", "无到期日"),
    ("not_deployed", "Newer not deployed", "新证书未部署"),
    ("snoozed", "Snoozed", "已暂停提醒"),
];

/// Shows the form, and what is asked for as parts that can be taken away.
pub(super) fn form(shared: &Shared, pairs: &Pairs, reader: &Reader) -> Markup {
    let folded = |name: &str| {
        TYPED.iter().any(|(typed, ..)| *typed == name)
            || ["undated", "not_deployed", "snoozed"].contains(&name)
    };
    let is_open = pairs.iter().any(|(name, _)| folded(name));
    html! {
        form.filters method="get" action="/certificates" data-filters {
            div.row {
                input type="search" name="q" value=(value(pairs, "q")) data-search
                    placeholder=(search_words(reader)) aria-label=(search_words(reader));
                (chosen("source", &sources(shared), pairs, reader))
                (chosen("kind", &kinds(reader), pairs, reader))
                (chosen("status", &statuses(reader), pairs, reader))
                (chosen("rung", &rungs(shared, reader), pairs, reader))
                button { (reader.say("Show", "显示")) }
            }
            details open[is_open] {
                summary { (reader.say("More filters", "更多条件")) }
                (more(pairs, reader))
            }
            @if let Some((_, sort)) = pairs.iter().find(|(name, _)| name == "sort") {
                input type="hidden" name="sort" value=(sort);
            }
        }
        (parts(pairs, reader))
    }
}

fn more(pairs: &Pairs, reader: &Reader) -> Markup {
    html! {
        div.row {
            @for (name, english, chinese, kind) in TYPED {
                label { (reader.say(english, chinese))
                    input type=(kind) name=(name) value=(value(pairs, name)); }
            }
            @for name in ["undated", "not_deployed", "snoozed"] {
                (chosen(name, &yes_or_no(reader), pairs, reader))
            }
        }
        p.dim { (reader.say(
            "Texts are matched whole; * and ? stand for anything.",
            "文本按整体匹配；* 和 ? 代表任意内容。",
        )) }
    }
}

fn chosen(name: &str, choices: &[Choice], pairs: &Pairs, reader: &Reader) -> Markup {
    let said = value(pairs, name);
    let is_other = !said.is_empty() && !choices.iter().any(|(value, _)| value == said);
    html! {
        label { (word(name, reader))
            select name=(name) {
                option value="" { (reader.say("any", "全部")) }
                @for (value, word) in choices { option value=(value) selected[value == said] { (word) } }
                @if is_other { option value=(said) selected { (shown(said)) } }
            }
        }
    }
}

/// Shows what is asked for; a click takes a part of it away.
fn parts(pairs: &Pairs, reader: &Reader) -> Markup {
    let said: Vec<_> = pairs
        .iter()
        .filter(|(name, _)| !["sort", "limit", "cursor"].contains(&name.as_str()))
        .collect();
    html! {
        @if !said.is_empty() {
            p.chips {
                @for (name, value) in &said {
                    a.chip href=(links::changed(pairs, name, "")) {
                        (word(name, reader)) ": " bdi { (spoken(name, value, reader)) } " "
                        span aria-hidden="true" { "×" }
                        span.unseen { (reader.say(", take away", "，移除")) }
                    }
                }
                a.clear href="/certificates" { (reader.say("Clear all", "清除全部")) }
            }
        }
    }
}

/// Returns what people call a parameter.
fn word<'a>(name: &'a str, reader: &Reader) -> &'a str {
    let typed = TYPED.iter().map(|(known, english, chinese, _)| (*known, *english, *chinese));
    let found = typed.chain(CHOSEN).find(|(known, ..)| *known == name);
    found.map_or(name, |(_, english, chinese)| reader.say(english, chinese))
}

/// Returns what people call the value of a parameter.
fn spoken(name: &str, value: &str, reader: &Reader) -> String {
    let choices = match name {
        "kind" => kinds(reader),
        "status" => statuses(reader),
        "undated" | "not_deployed" | "snoozed" => yes_or_no(reader),
        "rung" if Rung::from_label(value).is_some() => return reader.rung(value),
        _ => Vec::new(),
    };
    let choice = choices.into_iter().find(|(known, _)| known == value);
    choice.map_or_else(|| shown(value), |(_, word)| word)
}

fn value<'a>(pairs: &'a Pairs, name: &str) -> &'a str {
    pairs.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

fn sources(shared: &Shared) -> Vec<Choice> {
    let sources = shared.state.sources.borrow();
    sources.iter().map(|source| (source.name.clone(), shown(&source.name))).collect()
}

fn kinds(reader: &Reader) -> Vec<Choice> {
    Kind::ALL.map(|kind| (kind.as_str().to_owned(), reader.kind(kind).to_owned())).into()
}

fn statuses(reader: &Reader) -> Vec<Choice> {
    Status::ALL.map(|status| (status.as_str().to_owned(), reader.status(status).to_owned())).into()
}

fn rungs(shared: &Shared, reader: &Reader) -> Vec<Choice> {
    let labels = shared.state.catalog.rungs().into_iter().map(|rung: Rung| rung.as_label());
    labels.map(|label| (label.clone(), reader.rung(&label))).collect()
}

fn yes_or_no(reader: &Reader) -> Vec<Choice> {
    [("true", reader.say("yes", "是")), ("false", reader.say("no", "否"))]
        .map(|(value, word)| (value.to_owned(), word.to_owned()))
        .into()
}
