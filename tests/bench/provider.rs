//! The simulated provider as a process: it prints where it is and answers one line of JSON to each line it reads.

#![expect(clippy::print_stdout, reason = "its lines are for the process that started it")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::churn::{self, Churn};
use crate::process::Process;
use simulator::fault::{Fault, Times};
use simulator::fleet::{Data, Fleet, Instance};
use simulator::mqtt::Status;
use simulator::{Service, Setup, Simulator, chat, clock};

/// The word that starts this role.
pub(crate) const ROLE: &str = "simulator";
/// The instance that every benchmark reads.
pub(crate) const INSTANCE: &str = "mqtt-bench";
/// The action that lists its certificates.
pub(crate) const LIST: &str = "DescribeDeviceCertificates";
/// The action that asks for one.
const POINT: &str = "DescribeDeviceCertificate";

/// The provider, seen from the benchmark.
pub(crate) struct Provider {
    pub(crate) process: Process,
    pub(crate) authority: String,
    /// Where the chat services are, as an address.
    pub(crate) chat: String,
    /// Certificates of authorities.
    pub(crate) authorities: u64,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Provider {
    /// Starts a provider with so many device certificates, written as usual.
    pub(crate) fn start(rows: u64) -> anyhow::Result<Self> {
        Self::with(rows, Data::Usual)
    }

    /// Starts a provider with so many device certificates.
    pub(crate) fn with(rows: u64, data: Data) -> anyhow::Result<Self> {
        let mut process = Process::start(|command| {
            command.args([ROLE, &rows.to_string(), data.as_str()]);
            command.stdin(Stdio::piped()).stdout(Stdio::piped());
        })?;
        let input = process.child.stdin.take().context("the simulator has no input")?;
        let output = process.child.stdout.take().context("the simulator has no output")?;
        let (authority, chat, authorities) = (String::new(), String::new(), 0);
        let output = BufReader::new(output);
        let mut provider = Self { process, authority, chat, authorities, input, output };
        let answer = provider.hear()?;
        answer["mqtt"].as_str().context("no address")?.clone_into(&mut provider.authority);
        answer["chat"].as_str().context("no address")?.clone_into(&mut provider.chat);
        provider.authorities = answer["authorities"].as_u64().context("no authorities")?;
        Ok(provider)
    }

    /// Has it do something and returns its answer.
    pub(crate) fn ask(&mut self, command: &str) -> anyhow::Result<Value> {
        writeln!(self.input, "{command}")?;
        self.hear()
    }

    /// Returns how many requests it got so far for certificates, and how many connections.
    pub(crate) fn asked(&mut self) -> anyhow::Result<(f64, f64)> {
        let answer = self.ask("asked")?;
        let read = |name: &str| answer[name].as_f64().with_context(|| format!("no {name}"));
        Ok((read("requests")?, read("connections")?))
    }

    fn hear(&mut self) -> anyhow::Result<Value> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        serde_json::from_str(&line).context("the simulator broke off")
    }
}

/// Serves until its input ends.
pub(crate) fn serve(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<()> {
    let rows: u64 = arguments.next().context("how many rows?")?.parse()?;
    let data = arguments.next().as_deref().and_then(Data::named).context("how written?")?;
    let instance = Instance { data, ..Instance::new(INSTANCE, rows) };
    let fleet = Fleet::new(7, clock::wall_seconds()).with(instance);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let simulator = runtime.block_on(Simulator::start(Setup::new(fleet)))?;
    let mqtt = simulator.mqtt_url().replace("http://", "");
    let authorities = simulator.mqtt().authorities(INSTANCE).len();
    let chat = simulator.chat_url();
    println!("{}", json!({"mqtt": mqtt, "chat": chat, "authorities": authorities}));
    let churn = Churn::default();
    std::thread::scope(|scope| {
        scope.spawn(|| churn.run(&simulator));
        let served = serve_lines(&simulator, &churn);
        churn.end();
        served
    })
}

fn serve_lines(simulator: &Simulator, churn: &Churn) -> anyhow::Result<()> {
    for line in std::io::stdin().lock().lines() {
        println!("{}", obey(simulator, churn, &line?));
    }
    Ok(())
}

fn obey(simulator: &Simulator, churn: &Churn, command: &str) -> Value {
    if let Some(path) = command.strip_prefix("heard ") {
        return heard(simulator, path);
    }
    let mut words = command.split(' ');
    match (words.next(), words.next().and_then(|number| number.parse::<u64>().ok())) {
        (Some("forget"), None) => {
            simulator.log().clear();
            json!({})
        }
        // Switches every n-th certificate on or off.
        (Some("switch"), Some(every)) => {
            let rows = simulator.mqtt().count(INSTANCE);
            let chosen: Vec<u64> = (0..rows).step_by(every as usize).collect();
            for index in &chosen {
                let on = simulator.mqtt().one(INSTANCE, *index).status != "ACTIVE";
                let status = if on { Status::Active } else { Status::Inactive };
                simulator.mqtt().set_status(INSTANCE, *index, status);
            }
            json!({"changed": chosen.len()})
        }
        // Inserts so many that end in so many seconds.
        (Some("ending"), Some(count)) => {
            let end =
                words.next().and_then(|end| end.parse().ok()).unwrap_or(clock::wall_seconds());
            let inserted = simulator.mqtt().insert_ending(INSTANCE, count, end);
            json!({"inserted": inserted.end - inserted.start})
        }
        // Answers after so many milliseconds.
        (Some("latency"), Some(millis)) => {
            let least = Duration::from_millis(millis);
            let fault = Fault::Latency { least, most: least };
            simulator.fault_on(Service::Mqtt, LIST, fault, Times::Always);
            json!({})
        }
        // Inserts and deletes so many rows a second.
        (Some("churn"), Some(rate)) => churn::answer(churn.set(rate)),
        (Some("calm"), None) => churn::answer(churn.set(0)),
        (Some("truth"), None) => churn::truth(simulator),
        _ => asked(simulator),
    }
}

/// Returns when each request arrived in a room, in milliseconds since the epoch, and the message that it is a page of.
fn heard(simulator: &Simulator, path: &str) -> Value {
    let room = path.rsplit('/').next().unwrap_or_default();
    let service = if path.starts_with("/webhook/") {
        chat::Service::Webhook
    } else if path.starts_with("/slack/") {
        chat::Service::Slack
    } else {
        chat::Service::Feishu
    };
    let received = simulator.chat().received().into_iter();
    let in_room = received.filter(|one| one.service == service && one.room.ends_with(room));
    let arrival = |one: chat::Received| {
        let batch = one.body["data"]["batch_id"].as_str().map(str::to_owned);
        json!([one.at, batch.or(one.id)])
    };
    json!({"arrivals": in_room.map(arrival).collect::<Vec<_>>()})
}

fn asked(simulator: &Simulator) -> Value {
    let arrivals =
        simulator.log().arrivals(Service::Mqtt, LIST).into_iter().next().unwrap_or_default();
    let span = match (arrivals.first(), arrivals.last()) {
        (Some(first), Some(last)) => last.saturating_sub(*first),
        _ => Duration::ZERO,
    };
    let busiest = simulator.log().max_requests_in_any_second(Service::Mqtt, LIST);
    let requests = [LIST, POINT].map(|action| simulator.log().count(Service::Mqtt, action));
    json!({
        "count": arrivals.len(),
        "seconds": span.as_secs_f64(),
        "busiest_second": busiest,
        "requests": requests.iter().sum::<u64>(),
        "connections": simulator.connections(Service::Mqtt),
    })
}
