//! What the schema takes has the types that the reader expects, and what the reader takes fits the schema.

use toml::{Table, Value};

use super::Bench;
use super::documents::{Place, Step, places};

/// What a key is set to in turn; `None` leaves it out.
fn probes(sample: Option<Value>) -> Vec<Option<Value>> {
    let text = |text: &str| Value::String(text.to_owned());
    let env = |name: &str| Value::Table(Table::from_iter([("env".to_owned(), text(name))]));
    let stranger = Table::from_iter([("value".to_owned(), text("x"))]);
    let mut probes = vec![
        None,
        Some(text("x")),
        Some(text("")),
        Some(text("10m")),
        Some(Value::Integer(1)),
        Some(Value::Integer(-1)),
        Some(Value::Float(1.5)),
        Some(Value::Boolean(true)),
        Some(Value::Array(Vec::new())),
        Some(Value::Array(vec![text("x")])),
        Some(Value::Array(vec![text("")])),
        Some(Value::Array(vec![Value::Integer(1)])),
        Some(Value::Table(Table::new())),
        Some(env("SET")),
        Some(Value::Table(stranger)),
    ];
    if let Some(Value::String(text)) = &sample {
        probes.push(Some(Value::String(format!(" {text} "))));
    }
    probes.push(sample);
    probes
}

/// Returns whether a mistake is about what a value is, and not about what it says.
fn is_of_type(mistake: &str) -> bool {
    mistake.contains("expected ") && mistake.contains(", found ")
        || [
            "a secret is never written here",
            "a secret has one place",
            "unknown key",
            "missing",
            " is empty",
            " is an empty list",
            "nothing to watch",
            "holds an empty",
        ]
        .iter()
        .any(|part| mistake.contains(part))
}

/// Secrets look the same everywhere: one of them stands for all.
fn is_probed(place: &Place<'_>) -> bool {
    !place.is_secret() || place.path.last() == Some(&Step::Key("fail_url".to_owned()))
}

fn cases(place: &Place<'_>, key: &str) -> Vec<String> {
    let set = |probe: Option<Value>| {
        place.with(|table| {
            drop(table.remove(key));
            table.extend(probe.map(|value| (key.to_owned(), value)));
        })
    };
    probes(place.sample(key)).into_iter().map(set).collect()
}

#[tokio::test]
async fn schema_and_reader_agree_about_types() {
    let bench = Bench::new().await;
    let mut documents = Vec::new();
    for place in places(&bench.schema).iter().filter(|place| is_probed(place)) {
        documents.extend(place.keys().iter().flat_map(|key| cases(place, key)));
    }
    assert!(documents.len() > 3000, "{}", documents.len());
    let mut wrong = Vec::new();
    for (document, refused) in documents.iter().zip(bench.judged(&documents)) {
        let mistakes = bench.mistakes(document);
        let said = match refused {
            None => mistakes
                .iter()
                .find(|mistake| is_of_type(mistake))
                .map(|mistake| format!("the schema takes what the reader refuses: {mistake}")),
            Some(why) => mistakes
                .is_empty()
                .then(|| format!("the schema refuses what the reader takes: {why}")),
        };
        wrong.extend(said.map(|said| format!("{said}\n{document}")));
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), documents.len(), wrong.join("\n"));
}
