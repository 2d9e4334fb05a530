//! What the client prefers: format and encoding.

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, HeaderName};

use crate::expiry::Language;
use crate::metrics::Format;

/// Chooses the format. A client that accepts neither gets the older one: every scraper understands it.
pub(super) fn format(headers: &HeaderMap) -> Format {
    let choices = choices(headers, &ACCEPT);
    let weight = |accepts: &dyn Fn(&Choice) -> bool| {
        choices.iter().filter(|choice| accepts(choice)).map(|choice| choice.weight).reduce(f64::max)
    };
    let open_metrics = weight(&|choice| {
        choice.name == "application/openmetrics-text"
            && choice.version.as_deref().is_none_or(|version| version == "1.0.0")
    });
    let text = weight(&|choice| {
        choice.name == "text/plain"
            && choice.version.as_deref().is_none_or(|version| version == "0.0.4")
    });
    let text = text
        .or_else(|| weight(&|choice| choice.name == "text/*"))
        .or_else(|| weight(&|choice| choice.name == "*/*"));
    match (open_metrics.filter(|weight| *weight > 0.0), text) {
        (Some(open_metrics), text) if open_metrics >= text.unwrap_or(0.0) => Format::OpenMetrics,
        _ => Format::Text,
    }
}

/// Decides whether the body is compressed.
pub(super) fn gzip(headers: &HeaderMap) -> bool {
    let choices = choices(headers, &ACCEPT_ENCODING);
    let weight = |names: &[&str]| {
        let mut named = choices.iter().filter(|choice| names.contains(&choice.name.as_str()));
        named.next().map(|choice| choice.weight)
    };
    let gzip = weight(&["gzip", "x-gzip"]).or_else(|| weight(&["*"])).unwrap_or(0.0);
    gzip > 0.0 && gzip >= weight(&["identity"]).unwrap_or(0.0)
}

/// Chooses the language: the one of ours that is preferred, the first of those preferred alike.
pub(super) fn language(headers: &HeaderMap) -> Option<Language> {
    let choices = choices(headers, &ACCEPT_LANGUAGE);
    let mut best: Option<(f64, Language)> = None;
    for Choice { name, weight, .. } in choices {
        let known = name.split('-').next().and_then(Language::from_word);
        let better = weight > best.map_or(0.0, |(known, _)| known);
        best = known.filter(|_| better).map(|language| (weight, language)).or(best);
    }
    best.map(|(_, language)| language)
}

/// One element of a list that the client prefers things by.
struct Choice {
    name: String,
    version: Option<String>,
    weight: f64,
}

fn choices(headers: &HeaderMap, name: &HeaderName) -> Vec<Choice> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(choice).collect()
}

/// Reads one element; one whose weight cannot be read is left out.
fn choice(text: &str) -> Option<Choice> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?.to_ascii_lowercase();
    let mut choice = Choice { name, version: None, weight: 1.0 };
    for (key, value) in parts.filter_map(|part| part.split_once('=')) {
        let value = value.trim().trim_matches('"');
        match key.trim().to_ascii_lowercase().as_str() {
            "q" => {
                choice.weight = value.parse().ok().filter(|weight| (0.0..=1.0).contains(weight))?;
            }
            "version" => choice.version = Some(value.to_owned()),
            _ => {}
        }
    }
    Some(choice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name.clone(), value.parse().unwrap())])
    }

    #[test]
    fn formats() {
        use Format::{OpenMetrics, Text};
        for (accept, expected) in [
            ("", Text),
            ("*/*", Text),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Text),
            ("application/json", Text),
            ("text/plain;version=0.0.4", Text),
            ("application/openmetrics-text", OpenMetrics),
            ("Application/OpenMetrics-Text; Version=1.0.0; charset=utf-8", OpenMetrics),
            ("application/openmetrics-text;version=\"1.0.0\"", OpenMetrics),
            ("application/openmetrics-text;version=0.0.1", Text),
            ("application/openmetrics-text;version=2.0.0,text/plain", Text),
            ("application/openmetrics-text;q=0", Text),
            ("application/openmetrics-text;q=0,*/*", Text),
            ("application/openmetrics-text;q=oops", Text),
            ("application/openmetrics-text;q=0.3,text/plain;q=0.4", Text),
            ("application/openmetrics-text;q=0.4,text/plain;q=0.4", OpenMetrics),
            ("text/plain;q=0.2,*/*;q=0.9,application/openmetrics-text;q=0.5", OpenMetrics),
            ("application/openmetrics-text;q=0.5,text/*;q=0.9", Text),
            // Prometheus 2.42 and 3.
            (
                "application/openmetrics-text;version=1.0.0,\
                 application/openmetrics-text;version=0.0.1;q=0.75,\
                 text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                OpenMetrics,
            ),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                 application/openmetrics-text;version=0.0.1;q=0.4,\
                 text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
                 text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
                OpenMetrics,
            ),
        ] {
            assert_eq!(format(&headers(&ACCEPT, accept)), expected, "{accept}");
        }
        assert_eq!(format(&HeaderMap::new()), Text);
    }

    #[test]
    fn languages() {
        use Language::{En, Zh};
        for (accept, expected) in [
            ("", None),
            ("*", None),
            ("de, fr;q=0.9", None),
            ("zh-CN,zh;q=0.9,en;q=0.8", Some(Zh)),
            ("en-GB, zh", Some(En)),
            ("de, en;q=0.1, ZH-Hant;q=0.2", Some(Zh)),
            ("zh;q=0, en;q=0.001", Some(En)),
            ("english", None),
        ] {
            assert_eq!(language(&headers(&ACCEPT_LANGUAGE, accept)), expected, "{accept}");
        }
    }

    #[test]
    fn encodings() {
        for (accept, expected) in [
            ("gzip", true),
            ("GZIP;Q=0.5", true),
            ("x-gzip", true),
            ("deflate, gzip;q=0.5, br", true),
            ("*", true),
            ("", false),
            ("identity", false),
            ("deflate, br", false),
            ("gzip;q=0", false),
            ("gzip;q=0.000", false),
            ("gzip;q=0, *", false),
            ("*;q=0", false),
            ("gzip;q=2", false),
            ("gzip;q=0.5, identity", false),
            ("gzip, identity;q=0.5", true),
            ("identity;q=0, *;q=0.1", true),
        ] {
            assert_eq!(gzip(&headers(&ACCEPT_ENCODING, accept)), expected, "{accept}");
        }
        assert!(!gzip(&HeaderMap::new()));
    }
}
