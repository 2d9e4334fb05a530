//! Plays at the network: the daemon's own sources, with their signatures, tokens, rates and pages, and its own channels,
//! against the simulated vendors, under the vendors' own addresses.

use std::sync::{Arc, Mutex};

use notafter::facade::app::{ConfigFile, Core};
use notafter::facade::clock::{Clock as _, SteadyClock};
use notafter::facade::config::Environment;
use notafter::facade::expiry::Facts;
use notafter::facade::store::{ListQuery, Store as _};
use simulator::chat::{self, Chat};
use simulator::fault::{Fault, Times};
use simulator::fleet::{Fleet, Truth};
use simulator::{APP_KEY, APP_SECRET, SECRET_ID, SECRET_KEY, Service, Services, Setup};

use super::cloud::DAY;
use super::machine::{Machine, START, on_virtual_time};
use super::network::SimNetwork;

mod plays;

/// Days of a play.
const DAYS: i64 = 3;

const INSTANCE: &str = "mqtt-simulated";

/// Every source and channel as an operator writes it; nothing names another address than the vendor's.
const CONFIGURATION: &str = r#"
[[source]]
name = "iot"
kind = "tencent-mqtt"
schedule = "every 1h"
[source.options]
region = "ap-guangzhou"
secret_id = { env = "SECRET_ID" }
secret_key = { env = "SECRET_KEY" }

[[source]]
name = "web"
kind = "tencent-ssl"
schedule = "every 4h"
[source.options]
secret_id = { env = "SECRET_ID" }
secret_key = { env = "SECRET_KEY" }

[[source]]
name = "plant"
kind = "enos"
schedule = "every 6h"
[source.options]
endpoint = "https://apim-ppe1.envisioniot.com"
org_id = "o15000000000001"
app_key = { env = "APP_KEY" }
app_secret = { env = "APP_SECRET" }

[[channel]]
name = "ops"
kind = "feishu"
language = "zh"
[channel.options]
url = { env = "FEISHU_URL" }
secret = { env = "FEISHU_SECRET" }

[[channel]]
name = "team"
kind = "slack"
[channel.options]
url = { env = "SLACK_URL" }

[[channel]]
name = "automation"
kind = "webhook"
[channel.options]
url = { env = "WEBHOOK_URL" }
secret = { env = "WEBHOOK_SECRET" }

[[route]]
channels = ["ops", "team", "automation"]
"#;

fn environment() -> Environment {
    Environment::of([
        ("SECRET_ID", SECRET_ID),
        ("SECRET_KEY", SECRET_KEY),
        ("APP_KEY", APP_KEY),
        ("APP_SECRET", APP_SECRET),
        ("FEISHU_URL", "https://open.feishu.cn/open-apis/bot/v2/hook/ops"),
        ("FEISHU_SECRET", chat::FEISHU_SECRET),
        ("SLACK_URL", "https://hooks.slack.com/services/T0/B0/team"),
        ("WEBHOOK_URL", "https://receiver.example.com/webhook/automation"),
        ("WEBHOOK_SECRET", chat::WEBHOOK_SECRET),
    ])
}

/// One daemon among the vendors.
struct Vendors {
    machine: Machine,
    network: Arc<SimNetwork>,
    folder: tempfile::TempDir,
}

/// What is left after a play.
struct Played {
    trace: String,
    services: Arc<Services>,
    known: Vec<Facts>,
    /// The device certificate that got a successor while the daemon ran.
    renewed: Truth,
    /// How many messages the webhook's receiver took without the daemon hearing of it.
    unheard: usize,
}

/// Plays some days in which a device gets a new certificate, the daemon is killed, and it is restarted.
fn play(seed: u64) -> Played {
    on_virtual_time(async { Vendors::new(seed).play().await })
}

impl Vendors {
    fn new(seed: u64) -> Self {
        let machine = Machine::new(seed);
        let network = SimNetwork {
            services: Arc::new(services(seed)),
            fate: Arc::clone(&machine.fate),
            trace: Arc::clone(&machine.trace),
            unheard: Mutex::default(),
        };
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("notafter.toml"), CONFIGURATION).unwrap();
        Self { machine, network: Arc::new(network), folder }
    }

    async fn play(self) -> Played {
        let Self { machine, network, .. } = &self;
        let mut core = self.start().await;
        machine.live(&mut core, DAY).await;
        let renewed = renew_one(&network.services);
        machine.live(&mut core, DAY + 9_000).await;
        drop(core);
        core = self.start().await;
        machine.live(&mut core, 2 * DAY).await;
        core.stop().await;
        core = self.start().await;
        machine.live(&mut core, DAYS * DAY).await;
        core.stop().await;
        let every = ListQuery { source: None, ends_before: None, limit: usize::MAX };
        let known = machine.store.list(&every).await.unwrap();
        let of_receiver = |host: &&String| *host == "receiver.example.com";
        let unheard = network.unheard.lock().unwrap().iter().filter(of_receiver).count();
        let (trace, services) = (machine.trace.text(), Arc::clone(&network.services));
        Played { trace, services, known, renewed, unheard }
    }

    /// Starts a process as the command does: from its configuration file.
    async fn start(&self) -> Core {
        let parts = self.machine.parts();
        let file = ConfigFile {
            path: self.folder.path().join("notafter.toml"),
            environment: environment(),
            clock: Arc::clone(&parts.clock),
            random: Arc::clone(&parts.random),
            transport: Some(Arc::clone(&self.network) as _),
            metrics: Arc::clone(&parts.metrics),
        };
        let plan = file.read().unwrap_or_else(|mistakes| panic!("{mistakes}"));
        self.machine.start(&plan, parts).await
    }
}

/// The vendors, on virtual time too.
fn services(seed: u64) -> Services {
    let steady = SteadyClock::starting_at(START);
    let clock: simulator::clock::Clock = Arc::new(move || steady.millis());
    let chat = chat::Settings { clock: Arc::clone(&clock), ..chat::Settings::default() };
    let fleet = Fleet::new(seed, START.seconds())
        .with_instance(INSTANCE, 240)
        .with_ssl(80)
        .with_product(30, true);
    let services = Services::new(Setup { clock, chat: Chat::with(chat), ..Setup::new(fleet) });
    services.fault(Service::Mqtt, Fault::Throttle, Times::Every(37));
    services.fault(Service::Ssl, Fault::Html { status: 502 }, Times::Every(29));
    services.fault(Service::Enos, Fault::ExpiredToken, Times::Every(61));
    services
}

/// Makes a successor for the device certificate in use that ends first, which was notified by then.
fn renew_one(services: &Services) -> Truth {
    let all = services.mqtt().truth(INSTANCE);
    let open = (0_u64..).zip(&all).filter(|(_, truth)| is_owed(truth, "ACTIVE"));
    let (index, first) = open.min_by_key(|(_, truth)| truth.not_after).unwrap();
    services.mqtt().renew(INSTANCE, index);
    first.clone()
}

/// Returns whether a certificate in use crosses a rung long before the play ends, and expires after it.
fn is_owed(truth: &Truth, in_use: &str) -> bool {
    let first = START.seconds() + DAYS * DAY;
    let within = first..START.seconds() + 30 * DAY;
    truth.status == in_use && truth.not_after.is_some_and(|end| within.contains(&end))
}
