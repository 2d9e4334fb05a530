//! `cargo demo`: the real daemon against three simulated clouds, the simulated chat services and the machine's own CA
//! bundle, until Ctrl-C.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a demo shows what happens")]

use std::ffi::OsString;
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use simulator::chat::{DINGTALK_SECRET, FEISHU_SECRET, WEBHOOK_SECRET};
use simulator::clock::wall_seconds;
use simulator::fleet::{DAY, Fleet, Instance, X509Mode};
use simulator::{APP_KEY, APP_SECRET, Ports, SECRET_ID, SECRET_KEY, Setup, Simulator};

mod shop;

use shop::Shop;

const CONFIG: &str = include_str!("../../../../config/demo.toml");
/// What stands in it for the folder of the demo.
const FOLDER: &str = "/run/notafter-demo";
const PORTS: Ports = Ports { mqtt: 10794, ssl: 10795, enos: 10796, chat: 10797 };
/// Few devices, and many of their certificates end soon.
const PILOT: &str = "mqtt-pilot001";
/// The turn at which the shop shows its new certificate.
const ROLL_OUT: u64 = 6;
/// The daemon has this long to deliver what it has and to end.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    // The daemon is this program again, so that one build is enough.
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == "daemon") {
        let command = ["notafter", "run", "--config"].map(OsString::from);
        return notafter::cli::main(command.into_iter().chain(arguments));
    }
    match tokio::runtime::Runtime::new().context("no runtime").and_then(|it| it.block_on(demo())) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn demo() -> anyhow::Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let setup = Setup { ports: PORTS, gzip: true, ..Setup::new(fleet(wall_seconds())) };
    let simulator = Simulator::start(setup)
        .await
        .context("the demo needs ports 10793 to 10798 of 127.0.0.1")?;
    let state = tempfile::Builder::new().prefix("notafter-demo-").tempdir()?;
    let shop = Shop::open(state.path()).await?;
    let mut daemon = start_daemon(state.path(), &simulator.chat_url())?;
    let mut output = JoinSet::new();
    output.spawn(show_lines(daemon.stdout.take().context("its output is piped")?));
    output.spawn(show_lines(daemon.stderr.take().context("its errors are piped")?));
    println!("{}", introduction(&simulator));
    let code = tokio::select! {
        biased;
        ended = daemon.wait() => {
            let ended = ended?;
            eprintln!("demo: the daemon ended by itself with {ended}; its last lines say why");
            ExitCode::FAILURE
        }
        never = play(&simulator, &shop) => match never {},
        _ = interrupt.recv() => stop(&mut daemon).await?,
        _ = terminate.recv() => stop(&mut daemon).await?,
    };
    while output.join_next().await.is_some() {}
    simulator.shutdown().await;
    state.close().context("the temporary directory cannot be removed")?;
    Ok(code)
}

/// 20 000 device certificates, a hundred of which end within days, 300 SSL certificates, 200 devices on `EnOS`.
fn fleet(now: i64) -> Fleet {
    let pilot = Instance { ends: (-3 * DAY, 60 * DAY), ..Instance::new(PILOT, 100) };
    let plant = Instance { ends: (20 * DAY, 700 * DAY), ..Instance::new("mqtt-plant007", 7900) };
    let field = Instance { ends: (40 * DAY, 760 * DAY), ..Instance::new("mqtt-field042", 12_000) };
    Fleet::new(10_793, now)
        .with(pilot)
        .with(plant)
        .with(field)
        .with(Instance::without_devices("mqtt-onewaytl", X509Mode::Tls))
        .with_ssl(300)
        .with_product(200, true)
        .with_product(30, false)
}

fn start_daemon(state: &Path, chat: &str) -> anyhow::Result<Child> {
    let url = |path: &str| format!("{chat}{path}");
    let config = state.join("demo.toml");
    std::fs::write(&config, CONFIG.replace(FOLDER, &state.display().to_string()))?;
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("daemon")
        .arg(config)
        .env("STATE_DIRECTORY", state)
        .env("DEMO_TENCENT_SECRET_ID", SECRET_ID)
        .env("DEMO_TENCENT_SECRET_KEY", SECRET_KEY)
        .env("DEMO_ENOS_APP_KEY", APP_KEY)
        .env("DEMO_ENOS_APP_SECRET", APP_SECRET)
        .env("DEMO_SLACK_URL", url("/slack/services/T/B/x"))
        .env("DEMO_SHOP_URL", url("/slack/services/T/B/shop"))
        .env("DEMO_FEISHU_URL", url("/feishu/open-apis/bot/v2/hook/demo"))
        .env("DEMO_FEISHU_SECRET", FEISHU_SECRET)
        .env("DEMO_DINGTALK_URL", url("/dingtalk/robot/send?access_token=demo"))
        .env("DEMO_DINGTALK_SECRET", DINGTALK_SECRET)
        .env("DEMO_WECOM_URL", url("/wecom/cgi-bin/webhook/send?key=demo"))
        .env("DEMO_WEBHOOK_URL", url("/webhook/ops"))
        .env("DEMO_WEBHOOK_SECRET", WEBHOOK_SECRET)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Ctrl-C reaches the whole group of a terminal; the daemon is to be stopped once, by the demo.
        .process_group(0)
        .kill_on_drop(true);
    command.spawn().context("the daemon cannot be started")
}

async fn show_lines(from: impl AsyncRead + Unpin) {
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        println!("  daemon | {line}");
    }
}

fn introduction(simulator: &Simulator) -> String {
    format!(
        "\
notafter demo: the real daemon, simulated clouds and chat rooms, all on this machine.

  page     http://127.0.0.1:10793/
  metrics  http://127.0.0.1:10793/metrics
  ready    http://127.0.0.1:10793/-/ready

  Tencent MQTT {}   Tencent SSL {}
  EnOS         {}   chat        {}

Look at the page for the certificates that end soonest, and at these in the metrics:
  curl -s http://127.0.0.1:10793/metrics | grep -E 'notafter_(certificates|source_up|earliest)'
shop.example on port 10798 was renewed and not rolled out: the page marks it as not deployed, and Slack's room
T/B/shop is told. After two minutes it is rolled out, and two polls later the room hears that it is renewed.
Messages to the chat rooms appear below. From time to time a certificate is renewed or a new one
comes that ends in two days, and the rooms are told. Ctrl-C stops everything.
",
        simulator.mqtt_url(),
        simulator.ssl_url(),
        simulator.enos_url(),
        simulator.chat_url()
    )
}

/// Shows every message that arrives, and lets the fleet live.
async fn play(simulator: &Simulator, shop: &Shop) -> std::convert::Infallible {
    let mut looks = tokio::time::interval(Duration::from_millis(300));
    let mut lives = tokio::time::interval(Duration::from_secs(20));
    lives.reset();
    let (mut shown, mut turn) = (0, 0);
    loop {
        tokio::select! {
            biased;
            _ = looks.tick() => {
                let received = simulator.chat().received();
                for message in received.iter().skip(shown) {
                    let room = format!("{:?} room {}", message.service, message.room);
                    println!("\n  {room}\n{}\n", indented(&message.text));
                }
                shown = received.len();
            }
            _ = lives.tick() => {
                let happened = if turn == ROLL_OUT { shop.roll_out() } else { live(simulator, turn) };
                println!("  fleet  | {happened}");
                turn += 1;
            }
        }
    }
}

/// The message as a reader of a terminal wants it; the page has the rest.
fn indented(text: &str) -> String {
    const LINES: usize = 14;
    let mut lines: Vec<String> =
        text.lines().take(LINES).map(|line| format!("    | {line}")).collect();
    let left = text.lines().count().saturating_sub(LINES);
    if left > 0 {
        lines.push(format!("    | … and {left} more lines"));
    }
    lines.join("\n")
}

/// Lets one thing happen to the fleet, and says what.
fn live(simulator: &Simulator, turn: u64) -> String {
    let happened = match turn % 4 {
        0 | 2 => renew_device(simulator),
        1 => renew_server(simulator),
        _ => None,
    };
    happened.unwrap_or_else(|| {
        let end = wall_seconds() + 2 * DAY;
        let new = simulator.mqtt().insert_ending(PILOT, 1, end).start;
        let serial = simulator.mqtt().one(PILOT, new).serial;
        format!("a device with certificate {serial} came, which ends in two days")
    })
}

/// Renews the active device certificate that ends soonest among those that were not renewed.
fn renew_device(simulator: &Simulator) -> Option<String> {
    let now = wall_seconds();
    let devices = simulator.mqtt().truth(PILOT);
    let renewed = |holder: &str| {
        let end = |it: &simulator::fleet::Truth| it.not_after.unwrap_or(0);
        devices.iter().any(|it| it.holder == holder && end(it) > now + 100 * DAY)
    };
    let soonest = devices
        .iter()
        .zip(0_u64..)
        .filter(|(it, _)| it.status == "ACTIVE" && it.not_after.is_some_and(|end| end > now))
        .filter(|(it, _)| !renewed(&it.holder))
        .min_by_key(|(it, _)| it.not_after)?;
    let index = simulator.mqtt().nth(PILOT, soonest.1)?;
    simulator.mqtt().renew(PILOT, index);
    Some(format!("{} has a new certificate in place of {}", soonest.0.holder, soonest.0.serial))
}

/// Renews the issued SSL certificate that ends soonest.
fn renew_server(simulator: &Simulator) -> Option<String> {
    let now = wall_seconds();
    let there = (36..300).filter_map(|index| Some((index, simulator.ssl().one(index)?)));
    let (index, old) = there
        .filter(|(index, it)| {
            let is_soon = it.not_after.is_some_and(|end| end > now);
            is_soon && it.status == "1" && !simulator.ssl().is_renewed(*index)
        })
        .min_by_key(|(_, it)| it.not_after)?;
    simulator.ssl().renew(index);
    Some(format!("{} has a new certificate in place of {}", old.holder, old.serial))
}

/// Asks the daemon to end, and returns whether it ended well.
async fn stop(daemon: &mut Child) -> anyhow::Result<ExitCode> {
    println!("\ndemo: stopping the daemon");
    if let Some(id) = daemon.id() {
        // The standard library can only kill; a shell can ask.
        Command::new("sh").args(["-c", &format!("kill -TERM {id}")]).status().await?;
    }
    let Ok(ended) = tokio::time::timeout(PATIENCE, daemon.wait()).await else {
        daemon.kill().await?;
        anyhow::bail!("the daemon did not end within {} s and was killed", PATIENCE.as_secs());
    };
    let ended = ended?;
    if ended.success() {
        println!("demo: the daemon ended cleanly");
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("demo: the daemon ended with {ended}");
    Ok(ExitCode::FAILURE)
}
