//! Configurations that people have.

use super::documents::{Place, places};
use super::{Bench, SAMPLE};
use crate::harness::{Daemon, configuration};
use simulator::fleet::Fleet;
use simulator::{Setup, Simulator};

const DEMO: &str = include_str!("../../../config/demo.toml");
const README: &str = include_str!("../../../README.md");
const CARGO: &str = include_str!("../../../Cargo.toml");

/// Where the packages put the schema.
const INSTALLED: &str = "/usr/share/notafter/notafter.schema.json";

/// What stands in the sample, and a slip in its place.
const SLIPS: &[(&str, &str)] = &[
    ("\n[server]\n", "\n[servre]\n"),
    ("region = \"ap-guangzhou\"", "regoin = \"ap-guangzhou\""),
    ("region = \"ap-guangzhou\"\n", ""),
    ("kind = \"enos\"", "kind = \"enso\""),
    ("schedule = \"every 10m\"", "schedule = \"every 10 parsecs\""),
    ("schedule = \"every 10m\"", "schedule = \"* * * *\""),
    ("schedule = \"every 10m\"", "schedule = 10"),
    (FEISHU, "\"https://open.feishu.cn/open-apis/bot/v2/hook/x\""),
    (FEISHU, "{ credential = \"a\", env = \"B\" }"),
    (FEISHU, "{ credential = \"../etc/passwd\" }"),
    (FEISHU, "{}"),
    ("name = \"iot-prod\"", "name = \"IoT\""),
    ("\nlanguage = \"zh\"", "\nlanguage = \"fr\""),
    ("chat_id = -1001234567890", "chat_id = true"),
    ("#group_wait = \"30s\"", "group_wait = \"soon\""),
    ("#ladder = [\"30d\"", "ladder = [\"100%\""),
    ("#requests_per_second = 10", "requests_per_second = 0"),
    ("#allow_unauthenticated = false", "allow_unauthenticated = \"no\""),
    ("#endpoint = \"https://mqtt", "endpoint = \"http://mqtt"),
    ("#audit_max = \"1GiB\"", "audit_max = \"1 gigabyte\""),
];
const FEISHU: &str = "{ credential = \"feishu-url\" }";

async fn written_by_init(flags: &[&str]) -> String {
    let daemon = Daemon::prepared("", &[]);
    std::fs::remove_file(daemon.config_path()).ok();
    let ran = daemon.run(&[&["init"], flags].concat()).await;
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    std::fs::read_to_string(daemon.config_path()).unwrap()
}

fn of_the_readme() -> Vec<String> {
    let blocks = README.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.filter(|block| block.contains("[[source]]")).map(str::to_owned).collect()
}

#[tokio::test]
async fn what_check_takes_fits_the_schema() {
    let bench = Bench::new().await;
    let simulator = Simulator::start(Setup::new(Fleet::new(7, 0))).await.unwrap();
    let flags = [
        "--files",
        "/etc/ssl/certs/*.pem",
        "--tls",
        "example.com",
        "--tencent-ssl",
        "--tencent-mqtt",
        "ap-guangzhou",
    ];
    let init = written_by_init(&flags).await;
    let first = format!("#:schema {INSTALLED}\n");
    assert!(SAMPLE.starts_with(&first) && init.starts_with(&first), "{init}");
    assert!(CARGO.contains(INSTALLED.trim_start_matches('/').rsplit_once('/').unwrap().0));
    let mut documents = vec![SAMPLE.to_owned(), DEMO.to_owned(), init, configuration(&simulator)];
    let all = toml::to_string(&super::documents::everything()).unwrap();
    documents.push(all);
    documents.extend(of_the_readme());
    assert!(documents.len() > 5, "the README has an example");
    for (document, refused) in documents.iter().zip(bench.judged(&documents)) {
        assert_eq!(refused, None, "{document}");
    }
}

#[tokio::test]
async fn slips_are_refused() {
    let bench = Bench::new().await;
    let documents: Vec<_> = SLIPS
        .iter()
        .map(|(from, to)| {
            assert!(SAMPLE.contains(from), "{from}");
            SAMPLE.replacen(from, to, 1)
        })
        .collect();
    for ((_, slip), refused) in SLIPS.iter().zip(bench.judged(&documents)) {
        assert!(refused.is_some(), "{slip}");
    }
    assert!(bench.judged(&["listen = 1".to_owned()])[0].is_some());
}

/// What is left out by default, and of which the sample shows an example; and what depends on the rest of the file.
const EXAMPLES: &[&str] = &["max_series_per_source", "labels", "mute"];

#[tokio::test]
async fn a_default_is_what_the_sample_says() {
    let bench = Bench::new().await;
    let of = |place: &Place<'_>, key: &str| place.schema["properties"][key]["default"].clone();
    let mut compared = 0;
    for place in places(&bench.schema) {
        for key in place.keys().iter().filter(|key| !EXAMPLES.contains(&key.as_str())) {
            let (default, sample) = (of(&place, key), place.sample(key));
            let Some(sample) = sample.filter(|_| !default.is_null()) else { continue };
            let is_switched_off =
                SAMPLE.lines().any(|line| line.starts_with(&format!("#{key} = ")));
            if is_switched_off && key != "timezone" {
                assert_eq!(
                    serde_json::to_value(&sample).unwrap(),
                    default,
                    "{:?} {key}",
                    place.path
                );
                compared += 1;
            }
        }
    }
    assert!(compared > 20, "{compared}");
}
