//! Every key that the reader knows is in the schema, and the other way round.

use toml::Value;

use super::Bench;
use super::documents::places;

const STRANGER: &str = "0123456789";

/// Returns the keys that the reader says it knows where it found one that it does not know.
fn known(mistakes: &[String]) -> Vec<String> {
    let said = format!("unknown key `{STRANGER}`; known: ");
    let list = mistakes.iter().find_map(|mistake| mistake.strip_prefix(&said));
    let list = list.unwrap_or_else(|| panic!("{mistakes:#?}"));
    list.split(", ").map(str::to_owned).collect()
}

#[tokio::test]
async fn every_table_has_the_keys_that_its_reader_knows() {
    let bench = Bench::new().await;
    let places = places(&bench.schema);
    assert!(places.len() > 100, "{}", places.len());
    for place in &places {
        let document =
            place.with(|table| drop(table.insert(STRANGER.to_owned(), Value::Integer(1))));
        let known = known(&bench.mistakes(&document));
        assert_eq!(place.keys(), known, "{:?}", place.path);
    }
}

#[tokio::test]
async fn every_key_says_what_it_means() {
    let bench = Bench::new().await;
    for place in places(&bench.schema) {
        for (key, schema) in place.schema["properties"].as_object().unwrap() {
            let about = schema["description"].as_str().unwrap_or_default();
            assert!(about.len() > 10 && about.ends_with('.'), "{:?} {key}: {about:?}", place.path);
        }
    }
}
