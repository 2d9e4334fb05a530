//! The dashboards as files.

use std::collections::BTreeSet;

use serde_json::Value;

/// A dashboard.
pub(super) struct Dashboard {
    pub(super) name: &'static str,
    pub(super) json: Value,
}

/// What a panel asks for.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) title: String,
    pub(super) expression: String,
    pub(super) instant: bool,
    /// The labels that its legend names.
    pub(super) legend: Vec<String>,
}

const FILES: [(&str, &str); 3] = [
    ("fleet", include_str!("../../../deploy/grafana/notafter-fleet.json")),
    ("sources", include_str!("../../../deploy/grafana/notafter-sources.json")),
    ("notifications", include_str!("../../../deploy/grafana/notafter-notifications.json")),
];

/// Returns every dashboard.
pub(super) fn dashboards() -> Vec<Dashboard> {
    let read = |(name, text): (&'static str, &str)| Dashboard {
        name,
        json: serde_json::from_str(text).unwrap(),
    };
    FILES.map(read).into()
}

/// Returns every dashboard as it is written.
pub(super) fn texts() -> [&'static str; 3] {
    FILES.map(|(_, text)| text)
}

impl Dashboard {
    pub(super) fn panels(&self) -> Vec<&Value> {
        let panels = self.json["panels"].as_array().unwrap().iter();
        panels.filter(|panel| panel["type"] != "row").collect()
    }

    pub(super) fn queries(&self) -> Vec<Query> {
        let targets = self.panels().into_iter().flat_map(|panel| {
            let targets = panel["targets"].as_array().unwrap().iter();
            targets.map(|target| query(&panel["title"], target))
        });
        targets.collect()
    }

    /// Returns the name and the query of each variable that Prometheus is asked for.
    pub(super) fn variables(&self) -> Vec<(&str, &str)> {
        let variables = self.json["templating"]["list"].as_array().unwrap().iter();
        let asked = variables.filter(|variable| variable["type"] == "query");
        asked
            .map(|it| (it["name"].as_str().unwrap(), it["query"]["query"].as_str().unwrap()))
            .collect()
    }
}

fn query(title: &Value, target: &Value) -> Query {
    let text = |key: &str| target[key].as_str().unwrap_or_default();
    let labels = text("legendFormat").split("{{").skip(1);
    Query {
        title: title.as_str().unwrap().to_owned(),
        expression: text("expr").to_owned(),
        instant: target["instant"] == true,
        legend: labels.map(|rest| rest.split("}}").next().unwrap().to_owned()).collect(),
    }
}

/// Returns where a panel lies: columns and rows, each from and to.
fn area(panel: &Value) -> [u64; 4] {
    let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
    [at("x"), at("x") + at("w"), at("y"), at("y") + at("h")]
}

fn overlap(one: [u64; 4], other: [u64; 4]) -> bool {
    let [left, right, top, bottom] = one;
    let [other_left, other_right, other_top, other_bottom] = other;
    left < other_right && other_left < right && top < other_bottom && other_top < bottom
}

/// Returns every value under this key, however deep.
fn all<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get(key));
            fields.values().for_each(|it| all(it, key, found));
        }
        Value::Array(items) => items.iter().for_each(|it| all(it, key, found)),
        _ => {}
    }
}

#[test]
fn panels_have_their_own_place_and_number_and_say_what_they_show() {
    for dashboard in dashboards() {
        let panels = dashboard.json["panels"].as_array().unwrap();
        let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
        assert_eq!(ids.len(), panels.len(), "{}", dashboard.name);
        for (index, panel) in panels.iter().enumerate() {
            let here = area(panel);
            assert!(here[1] <= 24, "{} {}", dashboard.name, panel["title"]);
            let other = panels[..index].iter().find(|other| overlap(here, area(other)));
            assert_eq!(other.map(|it| &it["title"]), None, "{}", panel["title"]);
        }
        for panel in dashboard.panels() {
            let said = panel["description"].as_str().unwrap_or_default();
            assert!(said.ends_with('.'), "{} {}: {said}", dashboard.name, panel["title"]);
        }
    }
}

/// One that names a data source of its own shows nothing elsewhere.
#[test]
fn everything_is_asked_of_the_data_source_that_is_chosen() {
    let mut names = BTreeSet::new();
    for dashboard in dashboards() {
        let mut sources = Vec::new();
        all(&dashboard.json, "datasource", &mut sources);
        assert!(sources.len() > 2 * dashboard.panels().len(), "{}", dashboard.name);
        for source in sources {
            assert_eq!(source["uid"], "${datasource}", "{}", dashboard.name);
        }
        assert_eq!(dashboard.json["templating"]["list"][0]["name"], "datasource");
        names.insert(dashboard.json["uid"].as_str().unwrap().to_owned());
    }
    assert_eq!(names.len(), FILES.len(), "{names:?}");
}
