//! `[source.labels]`: labels of every certificate of a source.

use super::spelling::quoted;
use super::{Config, Fields, Placed};
use crate::expiry::{Facts, Labels, MOST_LABELS, label_name, with_fixed};

impl Config {
    /// Gives a certificate the labels that the configuration says it has.
    pub fn label(&self, facts: &mut Facts) {
        let source = self.sources.iter().find(|source| source.name == facts.source);
        if let Some(source) = source.filter(|source| !source.labels.is_empty()) {
            facts.labels = with_fixed(&source.labels, std::mem::take(&mut facts.labels));
        }
    }
}

/// Reads `labels`: a text for each name.
pub(super) fn labels(fields: &mut Fields<'_>) -> Labels {
    let mut labels = Labels::new();
    for (name, values) in fields.words("labels") {
        let Some(fit) = fit(fields, &name) else { continue };
        match values.as_slice() {
            [value] if labels.contains_key(&fit) => clash(fields, value, &name.value, &fit),
            [value] => drop(labels.insert(fit, value.value.trim().to_owned())),
            [] => {}
            _ => fields.mistake(name.span, "`labels`: a label has one value"),
        }
    }
    if labels.len() > MOST_LABELS {
        let text = format!("`labels`: a certificate has at most {MOST_LABELS} labels");
        fields.mistake(fields.span(), text);
    }
    labels
}

/// Reads the names of the labels that metrics show.
pub(super) fn shown(fields: &mut Fields<'_>) -> Vec<String> {
    let mut shown = Vec::new();
    for name in fields.placed_strings("labels").map(|list| list.value).unwrap_or_default() {
        match fit(fields, &name) {
            Some(fit) if shown.contains(&fit) => clash(fields, &name, &name.value, &fit),
            fit => shown.extend(fit),
        }
    }
    shown.sort();
    shown
}

fn fit(fields: &mut Fields<'_>, name: &Placed<String>) -> Option<String> {
    let fit = label_name(&name.value);
    if fit.is_none() {
        fields.mistake(name.span.clone(), "`labels`: the name of a label is empty");
    }
    fit
}

/// Names are read in the order of their bytes, so that the first wins.
fn clash(fields: &mut Fields<'_>, at: &Placed<String>, name: &str, fit: &str) {
    let text = format!(
        "`labels`: {} is left out: another one before it is the label `{fit}` as well",
        quoted(name)
    );
    fields.warn(at.span.clone(), text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, load};
    use crate::expiry::{Kind, Status, labels_of};

    const CHANNEL: &str = "[[channel]]\nname = 'c'\nkind = 'slack'\n[[route]]\nchannels = ['c']\n";

    fn read(labels: &str, metrics: &str) -> (Config, String) {
        let text = format!(
            "[[source]]\nname = 's'\nkind = 'files'\nschedule = 'every 1h'\n[source.labels]\n{labels}\n\
             {CHANNEL}[metrics]\n{metrics}\n"
        );
        let (config, mistakes) = load(&text, &Environment::of([]), |_| None);
        (config.unwrap(), mistakes.render("x", &text))
    }

    #[test]
    fn a_fixed_label_wins_over_what_the_provider_says() {
        let (config, mistakes) =
            read("team = 'iot'\ncost-center = '7'", "labels = ['team', 'env']");
        assert_eq!((mistakes.as_str(), config.metrics.labels.join(",").as_str()), ("", "env,team"));
        let mut facts = Facts {
            source: "s".into(),
            labels: labels_of([("team", "theirs"), ("env", "prod")]),
            ..Facts::bare(Kind::Server, Status::Active)
        };
        config.label(&mut facts);
        let expected = [("cost_center", "7"), ("env", "prod"), ("team", "iot")];
        assert_eq!(facts.labels, labels_of(expected));
        let mut other = Facts { source: "t".into(), ..facts.clone() };
        config.label(&mut other);
        assert_eq!(other.labels, facts.labels);
    }

    #[test]
    fn names_that_become_one_are_warned_of_and_the_first_wins() {
        let (config, mistakes) = read("a_b = 'second'\na-b = 'first'", "labels = ['x-y', 'x_y']");
        assert_eq!(config.sources[0].labels, labels_of([("a_b", "first")]));
        assert_eq!(config.metrics.labels, ["x_y"]);
        insta::assert_snapshot!(mistakes, @r"
        x:6:7: warning: `labels`: `a_b` is left out: another one before it is the label `a_b` as well
        x:14:18: warning: `labels`: `x_y` is left out: another one before it is the label `x_y` as well
        ");
        let many: Vec<_> = (0..33).map(|number| format!("l{number} = 'x'")).collect();
        let (_, mistakes) =
            read(&format!("{}\nm = ''\nn = ['a', 'b']\no = 1", many.join("\n")), "");
        for said in [
            "`labels`: a certificate has at most 32 labels",
            "`m` is empty",
            "`labels`: a label has one value",
            "`o`: expected a string, found an integer",
        ] {
            assert!(mistakes.contains(said), "{said}: {mistakes}");
        }
    }
}
