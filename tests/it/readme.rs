//! What the README tells people to do does what it says: the sample configuration beside the unit, the manual.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::process::Command;

use crate::harness::Daemon;

const README: &str = include_str!("../../README.md");
const SAMPLE: &str = include_str!("../../config/notafter.toml");
const UNIT: &str = include_str!("../../deploy/notafter.service");

/// Returns the names of the credentials that the sample asks for.
fn credentials() -> Vec<&'static str> {
    let used = SAMPLE.lines().filter(|line| !line.starts_with('#'));
    let mut names: Vec<_> = used
        .filter_map(|line| line.split_once("credential = \"")?.1.split_once('"'))
        .map(|(name, _)| name)
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Writes credentials where systemd puts the files of a folder (systemd.exec(5), `LoadCredential=`).
pub(crate) fn hand_over(names: &[&str], folder: &Path) {
    for name in names {
        let secret = match *name {
            "feishu-url" => "https://open.feishu.cn/open-apis/bot/v2/hook/0f3a",
            "dingtalk-url" => "https://oapi.dingtalk.com/robot/send?access_token=0f3a",
            "wecom-url" => "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=0f3a",
            "slack-url" => "https://hooks.slack.com/services/T0/B0/x0",
            "teams-url" => {
                "https://prod-1.westeurope.logic.azure.com/workflows/0a/triggers/manual/paths/invoke?sig=s"
            }
            "discord-url" => "https://discord.com/api/webhooks/1/x0",
            "mattermost-url" => "https://mattermost.example.com/hooks/x0",
            "google-chat-url" => "https://chat.googleapis.com/v1/spaces/S/messages?key=k&token=t",
            "telegram-token" => "1:x0",
            "ntfy-topic" => "certs-7f3a",
            "pagerduty-key" => "0123456789abcdef0123456789abcdef",
            "pagerduty-url" => "http://127.0.0.1:9/v2/enqueue",
            "webhook-url" => "https://example.com/hook",
            _ => "0f3a",
        };
        std::fs::write(folder.join(format!("notafter_{name}")), secret).unwrap();
    }
}

#[tokio::test]
async fn the_sample_is_good_beside_the_unit_once_its_secrets_are_there() {
    let loads = "LoadCredential=notafter:/etc/notafter/credentials";
    assert!(UNIT.lines().any(|line| line == loads), "the unit hands the folder over");
    // systemd gives credentials to the main process alone: a check of its own finds none of them at a reload.
    let reload = UNIT.lines().find(|line| line.starts_with("ExecReload=")).unwrap();
    assert!(reload.contains(" check --against-running "), "{reload}");
    for step in [
        "sudo install -d -m 700 /etc/notafter/credentials",
        "sudo install -m 644 config/notafter.toml /etc/notafter/notafter.toml",
        "sudo install -m 644 deploy/notafter.service /etc/systemd/system/notafter.service",
    ] {
        assert!(README.lines().any(|line| line.starts_with(step)), "{step}");
    }
    let mut daemon = Daemon::prepared("", &[]);
    std::fs::write(daemon.config_path(), SAMPLE).unwrap();
    let folder = daemon.folder.path().join("credentials");
    std::fs::create_dir(&folder).unwrap();
    daemon.set("CREDENTIALS_DIRECTORY", folder.to_str().unwrap());
    let without = daemon.run(&["check"]).await;
    assert_eq!(without.code, Some(78));
    for name in credentials() {
        assert!(without.err.contains(&format!("credential `{name}`")), "{name}: {}", without.err);
    }
    hand_over(&credentials(), &folder);
    let with = daemon.run(&["check"]).await;
    assert_eq!(with.code, Some(0), "{}{}", with.out, with.err);
    // The sample's files are not on every machine, which is all that `check` warns of.
    let absent = "machine: warning: `/etc/letsencrypt/live/*/fullchain.pem` matches nothing";
    assert!(with.err.lines().all(|line| line == absent), "{}", with.err);
}

/// The steps are run one after the other, with a folder in the place of `/`.
#[tokio::test]
async fn the_manual_of_the_steps_is_a_page_that_man_finds() {
    let step = "notafter man | sudo install -m 644 /dev/stdin /usr/local/share/man/man1/notafter.1";
    assert!(README.lines().any(|line| line == step));
    let daemon = Daemon::prepared("", &[]);
    let page = daemon.run(&["man"]).await;
    let folder = daemon.folder.path().join("man1");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("notafter.1"), page.out).unwrap();
    let found =
        Command::new("man").arg("-w").arg("-M").arg(daemon.folder.path()).arg("notafter").output();
    let found = found.expect("man is installed: tests/run does it, from Debian's package man-db");
    assert!(found.status.success(), "{found:?}");
}
