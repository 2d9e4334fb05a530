//! Addresses of the page's own views.

use url::form_urlencoded::{Serializer, byte_serialize};

/// Parameters of a list, in order.
pub(super) type Pairs = Vec<(String, String)>;

/// Returns the address of a list with these parameters; those without a value are left out.
pub(super) fn list(pairs: &[(&str, &str)]) -> String {
    with_query("/certificates", pairs.iter().copied())
}

/// Returns the address of `path` with these parameters; those without a value are left out.
pub(super) fn with_query<'a>(
    path: &str,
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let mut query = Serializer::new(String::new());
    for (name, value) in pairs.into_iter().filter(|(_, value)| !value.is_empty()) {
        query.append_pair(name, value);
    }
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// Returns the address of a list that says something else for one parameter; an empty value takes it away. Such a list
/// begins with its first page.
pub(super) fn changed(pairs: &Pairs, name: &str, value: &str) -> String {
    let kept = pairs.iter().filter(|(known, _)| known != name && known != "cursor");
    let kept = kept.map(|(name, value)| (name.as_str(), value.as_str()));
    with_query("/certificates", kept.chain([(name, value)]))
}

/// Returns the address of one source.
pub(super) fn source(name: &str) -> String {
    // In a path a plus is a plus.
    let parts = byte_serialize(name.as_bytes()).map(|part| part.replace('+', "%20"));
    format!("/sources/{}", parts.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_hold_any_name() {
        let pairs: Pairs = [("q", "a b&c"), ("cursor", "x"), ("status", "")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        assert_eq!(changed(&pairs, "kind", "ca"), "/certificates?q=a+b%26c&kind=ca");
        assert_eq!(changed(&pairs, "q", ""), "/certificates");
        assert_eq!(source("a b/ü?"), "/sources/a%20b%2F%C3%BC%3F");
    }
}
