use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::cli::{Cli, Command};
use clap::Parser as _;

struct Ran {
    folder: tempfile::TempDir,
    out: String,
    err: String,
    outcome: anyhow::Result<Exit>,
}

fn ran_in(folder: tempfile::TempDir, flags: &[&str]) -> Ran {
    let path = folder.path().join("notafter.toml");
    let args = ["notafter", "init"].iter().chain(flags);
    let Command::Init(arguments) = Cli::try_parse_from(args).unwrap().command else {
        panic!("init")
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut console = Console { out: &mut out, err: &mut err, watched: false };
    let outcome = init(&arguments, &path, &Environment::of([]), &mut console);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { out: text(out), err: text(err), outcome, folder }
}

fn ran(flags: &[&str]) -> Ran {
    ran_in(tempfile::tempdir().unwrap(), flags)
}

impl Ran {
    fn written(&self) -> String {
        fs::read_to_string(self.folder.path().join("notafter.toml")).unwrap()
    }

    /// What `check` says once every secret is in its place.
    fn mistakes(&self) -> String {
        let credentials = self.folder.path().join("credentials");
        fs::create_dir(&credentials).unwrap();
        for (name, secret) in [
            ("feishu-url", "https://open.feishu.cn/open-apis/bot/v2/hook/a-b"),
            ("slack-url", "https://hooks.slack.com/services/T/B/x"),
            ("webhook-url", "https://example.com/hook"),
            ("dingtalk-url", "https://oapi.dingtalk.com/robot/send?access_token=x"),
            ("wecom-url", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=x"),
            ("tencent-secret-id", "AKIDx"),
            ("tencent-secret-key", "x"),
            ("enos-app-key", "x"),
            ("enos-app-secret", "x"),
        ] {
            fs::write(credentials.join(name), secret).unwrap();
            fs::set_permissions(credentials.join(name), fs::Permissions::from_mode(0o600)).unwrap();
        }
        let environment =
            Environment::of([("CREDENTIALS_DIRECTORY", credentials.to_str().unwrap())]);
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut console = Console { out: &mut out, err: &mut err, watched: false };
        let path = self.folder.path().join("notafter.toml");
        let mut file = File::read(&path, &environment, &mut console).unwrap();
        drop(file.build_all(&deps().unwrap()));
        drop(file.approve(&mut console));
        String::from_utf8(err).unwrap()
    }
}

#[tokio::test]
async fn what_is_written_is_accepted_once_the_secrets_are_there() {
    let all = ran(&[
        "--files",
        "/etc/ssl/**/*.pem",
        "--tls",
        "example.com",
        "--tls",
        "[::1]:8883",
        "--tencent-ssl",
        "--tencent-mqtt",
        "ap-guangzhou",
        "--enos",
        "https://apim-ppe1.envisioniot.com",
        "--enos-org",
        "o15000000000001",
        "--feishu",
        "--slack",
        "--dingtalk",
        "--wecom",
        "--webhook",
    ]);
    assert_eq!(all.outcome.as_ref().unwrap(), &Exit::Done, "{}", all.err);
    assert_eq!(all.mistakes(), "");
    insta::assert_snapshot!(all.written(), @r#"
    #:schema /usr/share/notafter/notafter.schema.json
    # Written by `notafter init`. Every other setting is in the commented reference: /usr/share/doc/notafter/notafter.toml of
    # a package, config/notafter.toml of the source. `notafter check` reports every mistake; after a change: systemctl
    # reload notafter

    [[source]]
    name = "files"
    kind = "files"
    schedule = "every 1h"
    [source.options]
    paths = ["/etc/ssl/**/*.pem"]
    exclude = ["**/archive/**"]

    [[source]]
    name = "served"
    kind = "tls"
    schedule = "every 1h"
    [source.options]
    endpoints = ["example.com", "[::1]:8883"]

    [[source]]
    name = "web-certs"
    kind = "tencent-ssl"
    schedule = "every 1h"
    [source.options]
    secret_id = { credential = "tencent-secret-id" }
    secret_key = { credential = "tencent-secret-key" }

    [[source]]
    name = "devices"
    kind = "tencent-mqtt"
    schedule = "every 10m"
    [source.options]
    region = "ap-guangzhou"
    secret_id = { credential = "tencent-secret-id" }
    secret_key = { credential = "tencent-secret-key" }

    [[source]]
    name = "enos"
    kind = "enos"
    schedule = "every 6h"
    [source.options]
    endpoint = "https://apim-ppe1.envisioniot.com"
    org_id = "o15000000000001"
    app_key = { credential = "enos-app-key" }
    app_secret = { credential = "enos-app-secret" }

    [[channel]]
    name = "feishu"
    kind = "feishu"
    [channel.options]
    url = { credential = "feishu-url" }

    [[channel]]
    name = "dingtalk"
    kind = "dingtalk"
    [channel.options]
    url = { credential = "dingtalk-url" }

    [[channel]]
    name = "wecom"
    kind = "wecom"
    [channel.options]
    url = { credential = "wecom-url" }

    [[channel]]
    name = "slack"
    kind = "slack"
    [channel.options]
    url = { credential = "slack-url" }

    [[channel]]
    name = "webhook"
    kind = "webhook"
    [channel.options]
    url = { credential = "webhook-url" }

    # Everything goes there. Routes above this one may send some of it elsewhere.
    [[route]]
    channels = ["feishu", "dingtalk", "wecom", "slack", "webhook"]
    "#);
    insta::assert_snapshot!(all.out.replace(all.folder.path().to_str().unwrap(), "FOLDER"), @r#"
    FOLDER/notafter.toml is written. It holds no secret.

    1. Put the secrets where it looks for them (paste, Enter, Ctrl-D):
         sudo install -d -m 700 /etc/notafter/credentials
         sudo install -m 600 /dev/stdin /etc/notafter/credentials/enos-app-key    # the access key of the EnOS application
         sudo install -m 600 /dev/stdin /etc/notafter/credentials/enos-app-secret    # its secret key
         sudo install -m 600 /dev/stdin /etc/notafter/credentials/tencent-secret-id    # the SecretId of Tencent Cloud
         sudo install -m 600 /dev/stdin /etc/notafter/credentials/tencent-secret-key    # its SecretKey
         sudo install -m 600 /dev/stdin /etc/notafter/credentials/feishu-url    # the URL of the feishu robot
         sudo install -m 600 /dev/stdin /etc/notafter/credentials/dingtalk-url    # the URL of the dingtalk robot
         sudo install -m 600 /dev/stdin /etc/notafter/credentials/wecom-url    # the URL of the wecom robot
         sudo install -m 600 /dev/stdin /etc/notafter/credentials/slack-url    # the URL of the slack robot
         sudo install -m 600 /dev/stdin /etc/notafter/credentials/webhook-url    # the URL of the webhook robot

    2. See what it may see, and what expires soonest:
         sudo CREDENTIALS_DIRECTORY=/etc/notafter/credentials notafter --config FOLDER/notafter.toml check --online
         sudo CREDENTIALS_DIRECTORY=/etc/notafter/credentials notafter --config FOLDER/notafter.toml scan

    3. Start it: sudo systemctl enable --now notafter, or notafter --config FOLDER/notafter.toml run

    4. See that a message arrives, and what will be said when:
         sudo notafter --config FOLDER/notafter.toml channel test feishu
         sudo notafter --config FOLDER/notafter.toml plan
    "#);
}

#[tokio::test]
async fn a_secret_that_is_given_is_not_written_and_not_repeated() {
    let secret = "https://example.com/hook/s3cr3t";
    let ran = ran(&["--files", "/etc/ssl/*.pem", "--webhook", secret]);
    ran.outcome.as_ref().unwrap();
    for text in [ran.written(), ran.out.clone(), ran.err.clone()] {
        assert!(!text.contains("s3cr3t"), "{text}");
    }
    assert!(ran.written().contains("url = { credential = \"webhook-url\" }"));
    assert_eq!(ran.mistakes(), "");
}

#[tokio::test]
async fn a_secret_may_be_elsewhere() {
    let ran = ran(&[
        "--tls",
        "example.com",
        "--slack",
        "env:SLACK_URL",
        "--webhook=file:/run/hook \"x\"",
    ]);
    let written = ran.written();
    assert!(written.contains("url = { env = \"SLACK_URL\" }"), "{written}");
    assert!(written.contains(r#"url = { file = '/run/hook "x"' }"#), "{written}");
}

#[tokio::test]
async fn what_is_there_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notafter.toml");
    fs::write(&path, "# mine").unwrap();
    let refused = ran_in(folder, &["--tls", "example.com"]);
    assert!(refused.outcome.unwrap_err().to_string().contains("is there already: --force"));
    let forced = ran_in(refused.folder, &["--tls", "example.com", "--force"]);
    forced.outcome.as_ref().unwrap();
    let old = forced.folder.path().join("notafter.toml.old");
    assert_eq!(fs::read_to_string(old).unwrap(), "# mine");
    assert!(forced.written().contains("endpoints"));
}

#[tokio::test]
async fn what_check_would_refuse_is_not_written() {
    for flags in [["--tls", "http://example.com"], ["--files", "/etc/[ssl"]] {
        let ran = ran(&flags);
        ran.outcome.as_ref().unwrap_err();
        assert!(!ran.folder.path().join("notafter.toml").exists(), "{}", ran.err);
        assert!(ran.err.contains("notafter.toml:"), "{}", ran.err);
    }
}

#[test]
fn questions_are_answered_with_nothing_for_none() {
    let answers =
        "/etc/ssl/*.pem  /srv/x.pem\n\nyes\n\nhttps://gateway.example.com\no1\nirc\nfeishu\n";
    let mut arguments = Arguments::default();
    let mut asked = Vec::new();
    ask::ask(&mut arguments, &mut answers.as_bytes(), &mut asked).unwrap();
    assert_eq!(arguments.files, ["/etc/ssl/*.pem", "/srv/x.pem"]);
    assert_eq!(
        (arguments.tls.len(), arguments.tencent_ssl, arguments.tencent_mqtt),
        (0, true, None)
    );
    assert_eq!(
        arguments.enos.as_deref().zip(arguments.enos_org.as_deref()),
        Some(("https://gateway.example.com", "o1"))
    );
    assert_eq!(arguments.chat.chosen().len(), 1);
    let asked = String::from_utf8(asked).unwrap();
    assert_eq!(asked.matches("Which chat").count(), 2, "{asked}");
}
