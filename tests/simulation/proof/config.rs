//! What an operator wrote: the configuration of a scene, as text, and what it means, as the judge reads it.

use std::fmt::Write as _;

use notafter::facade::config::Environment;
use simulator::{APP_KEY, APP_SECRET, SECRET_ID, SECRET_KEY};

use super::cloud::name_of;
use super::scene::{Scene, Settings, SourceSpec};
use super::truth::DAY;
use super::vendor::Vendor;

/// The ladders that a scene may have.
const LADDERS: [&str; 3] =
    [r#"["30d", "14d", "7d", "3d", "1d"]"#, r#"["60d", "20d", "2d"]"#, r#"["25%", "9d", "12h"]"#];

/// One rung, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Before(i64),
    Percent(i64),
}

/// The same ladders, loosest first; the end itself is the last rung of each.
pub(crate) fn steps(ladder: u8) -> &'static [Step] {
    use Step::{Before, Percent};
    match ladder {
        0 => &[
            Before(30 * DAY),
            Before(14 * DAY),
            Before(7 * DAY),
            Before(3 * DAY),
            Before(DAY),
            Before(0),
        ],
        1 => &[Before(60 * DAY), Before(20 * DAY), Before(2 * DAY), Before(0)],
        _ => &[Percent(25), Before(9 * DAY), Before(DAY / 2), Before(0)],
    }
}

/// Where each kind of channel is.
fn address(kind: &str, index: usize) -> String {
    match kind {
        "webhook" => format!("https://receiver.example.com/webhook/{index}"),
        "slack" => format!("https://hooks.slack.com/services/T0/B0/{index}"),
        "feishu" => format!("https://open.feishu.cn/open-apis/bot/v2/hook/{index}"),
        "dingtalk" => format!("https://oapi.dingtalk.com/robot/send?access_token={index}"),
        "wecom" => format!("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={index}"),
        _ => format!("https://discord.com/api/webhooks/{index}/abc"),
    }
}

pub(crate) fn room_of(channel: usize) -> String {
    format!("room-{channel}")
}

/// Returns the variables that the configuration names. A scene has at most four channels.
pub(crate) fn environment(scene: &Scene) -> Environment {
    let address = |index: usize| {
        scene.channels.get(index).map_or_else(String::new, |kind| address(kind, index))
    };
    let all = [0, 1, 2, 3].map(address);
    Environment::of([
        ("BEAT", "https://watch.example.com/beat"),
        ("URL_0", &*all[0]),
        ("URL_1", &*all[1]),
        ("URL_2", &*all[2]),
        ("URL_3", &*all[3]),
        ("SECRET_ID", SECRET_ID),
        ("SECRET_KEY", SECRET_KEY),
        ("APP_KEY", APP_KEY),
        ("APP_SECRET", APP_SECRET),
    ])
}

/// Writes the configuration. What is not read from a vendor's pages is built by the play itself, without `options`.
pub(crate) fn text(scene: &Scene, settings: Settings) -> String {
    let mut text = format!("[alerts]\nladder = {}\n", LADDERS[usize::from(settings.ladder)]);
    for (index, source) in scene.sources.iter().enumerate() {
        let (name, schedule) = (name_of(index), schedule(source));
        let (kind, options) = match source.windowed {
            _ if scene.vendors => Vendor::of(index).written(),
            true => ("tencent-mqtt", "full_scan = 'every 24h'\n"),
            false => ("tencent-ssl", ""),
        };
        write!(
            text,
            "[[source]]\nname = '{name}'\nkind = '{kind}'\n{schedule}\n[source.options]\n{options}"
        )
        .unwrap();
    }
    for (index, kind) in scene.channels.iter().enumerate() {
        let name = room_of(index);
        writeln!(text, "[[channel]]\nname = '{name}'\nkind = '{kind}'\n[channel.options]\nurl = {{ env = 'URL_{index}' }}").unwrap();
    }
    if scene.heartbeat {
        text += "[heartbeat]\nurl = { env = 'BEAT' }\nevery = '1h'\n";
    }
    if scene.digest {
        let (first, schedule) = (room_of(0), "30 9 * * *");
        writeln!(text, "[digest]\nschedule = '{schedule}'\nchannels = ['{first}']").unwrap();
    }
    text + &routes(scene, settings)
}

/// In the night in which summer time begins there is no such hour.
fn schedule(source: &SourceSpec) -> String {
    if source.by_cron {
        "schedule = '30 2 * * *'\ntimezone = 'Europe/Berlin'".to_owned()
    } else {
        format!("schedule = 'every {}s'", source.every)
    }
}

fn routes(scene: &Scene, settings: Settings) -> String {
    let all: Vec<_> =
        (0..scene.channels.len()).map(|index| format!("'{}'", room_of(index))).collect();
    let last = format!("[[route]]\nchannels = [{}]\n", all.join(", "));
    match settings.routing {
        1 => format!(
            "[[route]]\nmatch = {{ severity = ['critical'] }}\nchannels = [{}]\n{last}",
            all[0]
        ),
        2 => format!(
            "[[route]]\nmatch = {{ source = '{}' }}\nchannels = [{}]\n{last}",
            name_of(0),
            all[0]
        ),
        _ => last,
    }
}

/// Returns the channels that what is said of a certificate of a source goes to.
pub(crate) fn routed(
    scene: &Scene,
    settings: Settings,
    source: usize,
    critical: bool,
) -> Vec<usize> {
    let narrow = match settings.routing {
        1 => critical,
        2 => source == 0,
        _ => false,
    };
    if narrow { vec![0] } else { (0..scene.channels.len()).collect() }
}
