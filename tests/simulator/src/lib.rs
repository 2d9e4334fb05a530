//! Three clouds and the chat services on loopback: exact envelopes, checked signatures, a fleet from a seed, and
//! misbehaviour on command.
//!
//! It uses nothing of the daemon, so that a mistake there is not repeated here.

#![expect(missing_docs, reason = "names of vendors, which say more than a sentence would")]
#![expect(clippy::missing_panics_doc, reason = "what a test asks wrongly fails that test")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "its numbers are its own and small"
)]

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use chat::Chat;
use clock::Clock;
use enos::{App, Enos};
use fault::{Effects, Fault, Faults, Instead, Times};
use fleet::Fleet;
use http::{Cloud, Reply};
use log::Log;
use mqtt::Mqtt;
use ssl::Ssl;
use tc3::Account;
use tencent::Gate;
use wire::Wire;

pub mod clock;
pub mod fleet;
pub mod fault;
pub mod log;
pub mod mqtt;
pub mod ssl;
pub mod enos;
pub mod chat;
mod random;
mod certificate;
mod bend;
mod tencent;
pub mod tc3;
pub mod http;
mod wire;

/// The account that is known from the start.
pub const SECRET_ID: &str = "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE";
/// Its key.
pub const SECRET_KEY: &str = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE";
/// Temporary credentials that are known from the start.
pub const TEMPORARY_ID: &str = "AKIDtemporary0000000000000000EXAMPLE";
/// Their key.
pub const TEMPORARY_KEY: &str = "temporary9xGARNpq86cd98joEXAMPLE";
/// Their token.
pub const TEMPORARY_TOKEN: &str = "tmpTOKEN-0123456789abcdef==";
/// The `EnOS` organisation.
pub const ORG: &str = "o15000000000001";
/// The `EnOS` application.
pub const APP_KEY: &str = "11111111-2222-4333-8444-555555555555";
/// Its secret.
pub const APP_SECRET: &str = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";
/// What providers send that must not be kept: secrets of devices and products, registration codes.
pub const POISON: &str = "POISON-secret-that-nobody-may-keep";

const PROXY_PAGE: &[u8] =
    b"<html><head><title>Bad Gateway</title></head><body>proxy</body></html>\n";

/// Which of the simulated services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    Mqtt,
    Ssl,
    Enos,
}

/// What to simulate.
pub struct Setup {
    pub fleet: Fleet,
    /// Who may ask the Tencent products.
    pub accounts: Vec<Account>,
    /// Loopback ports; 0 is any.
    pub ports: Ports,
    /// Whether answers are compressed for clients that accept it.
    pub gzip: bool,
    /// The providers' clock.
    pub clock: Clock,
    /// The chat services.
    pub chat: Chat,
}

/// Loopback ports; 0 is any.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ports {
    pub mqtt: u16,
    pub ssl: u16,
    pub enos: u16,
    pub chat: u16,
}

impl Setup {
    /// Returns a set-up with the known accounts, any ports and the machine's clock.
    pub fn new(fleet: Fleet) -> Self {
        let account = |id: &str, key: &str, token: Option<&str>| Account {
            secret_id: id.to_owned(),
            secret_key: key.to_owned(),
            token: token.map(str::to_owned),
        };
        let accounts = vec![
            account(SECRET_ID, SECRET_KEY, None),
            account(TEMPORARY_ID, TEMPORARY_KEY, Some(TEMPORARY_TOKEN)),
        ];
        let ports = Ports::default();
        let (clock, chat) = (clock::system(), Chat::new());
        Self { fleet, accounts, ports, gzip: false, clock, chat }
    }
}

/// What the services share.
pub struct Shared {
    clock: Clock,
    faults: Faults,
    log: Log,
    gzip: bool,
    answered: AtomicU64,
}

impl Shared {
    fn millis(&self) -> i64 {
        (self.clock)()
    }

    fn seconds(&self) -> i64 {
        self.millis().div_euclid(1000)
    }

    fn request_id(&self) -> String {
        let number = self.answered.fetch_add(1, Ordering::Relaxed);
        let bytes = [random::mix(1, number).to_be_bytes(), random::mix(2, number).to_be_bytes()];
        let mut id = [0; 16];
        id.copy_from_slice(&bytes.concat());
        uuid::Builder::from_random_bytes(id).into_uuid().to_string()
    }

    /// Turns a body into an answer with what the faults make of it.
    fn finish(&self, body: Vec<u8>, instead: Option<Instead>, effects: &Effects) -> Reply {
        let mut reply = Reply::json(body, self.seconds() + effects.skew);
        reply.gzip = self.gzip;
        reply.delay = effects.delay;
        reply.wire = effects.wire.unwrap_or(Wire::Whole);
        match instead {
            Some(Instead::Status(status)) => {
                (reply.status, reply.content_type) = (status, "text/plain");
                reply.body = b"as the simulator was told\n".to_vec();
            }
            Some(Instead::Html(status)) => {
                (reply.status, reply.content_type) = (status, "text/html");
                reply.body = PROXY_PAGE.to_vec();
            }
            _ => {}
        }
        reply
    }
}

/// The simulated services, until it is dropped.
pub struct Simulator {
    shared: Arc<Shared>,
    mqtt: Arc<Mqtt>,
    ssl: Arc<Ssl>,
    enos: Arc<Enos>,
    chat: Chat,
    addresses: [SocketAddr; 4],
    /// Connections that were opened to the MQTT product, the SSL product and `EnOS`.
    opened: [Arc<AtomicU64>; 3],
    tasks: JoinSet<()>,
}

impl Simulator {
    /// Starts the services; fails when a port is taken.
    pub async fn start(setup: Setup) -> io::Result<Self> {
        let Setup { fleet, accounts, ports, gzip, clock, chat } = setup;
        let shared = Arc::new(Shared {
            clock: Arc::clone(&clock),
            faults: Faults::default(),
            log: Log::new(),
            gzip,
            answered: AtomicU64::new(fleet.seed),
        });
        let app = App { key: APP_KEY.to_owned(), secret: APP_SECRET.to_owned() };
        let mqtt = Arc::new(Mqtt::new(&fleet, Arc::clone(&clock)));
        let ssl = Arc::new(Ssl::new(&fleet, clock));
        let enos = Arc::new(Enos::new(&fleet, ORG, app, Arc::clone(&shared)));
        let mut tasks = JoinSet::new();
        let mqtt_gate = Gate::new(Arc::clone(&mqtt), Arc::clone(&shared), accounts.clone());
        let ssl_gate = Gate::new(Arc::clone(&ssl), Arc::clone(&shared), accounts);
        let enos_cloud: Arc<dyn Cloud> = Arc::clone(&enos) as _;
        let opened = <[Arc<AtomicU64>; 3]>::default();
        let [mqtt_opened, ssl_opened, enos_opened] = &opened;
        let addresses = [
            open(&mut tasks, ("mqtt", ports.mqtt), Arc::new(mqtt_gate), mqtt_opened).await?,
            open(&mut tasks, ("ssl", ports.ssl), Arc::new(ssl_gate), ssl_opened).await?,
            open(&mut tasks, ("enos", ports.enos), enos_cloud, enos_opened).await?,
            open_chat(&mut tasks, ports.chat, &chat).await?,
        ];
        Ok(Self { shared, mqtt, ssl, enos, chat, addresses, opened, tasks })
    }

    /// Returns where the MQTT product is.
    pub fn mqtt_url(&self) -> String {
        self.url(0)
    }

    /// Returns where the SSL product is.
    pub fn ssl_url(&self) -> String {
        self.url(1)
    }

    /// Returns where `EnOS` is.
    pub fn enos_url(&self) -> String {
        self.url(2)
    }

    /// Returns where the chat services are.
    pub fn chat_url(&self) -> String {
        self.url(3)
    }

    fn url(&self, place: usize) -> String {
        format!("http://{}", self.addresses[place])
    }

    /// Returns the MQTT product, to change and compare with.
    pub fn mqtt(&self) -> &Mqtt {
        &self.mqtt
    }

    /// Returns the SSL product, to change and compare with.
    pub fn ssl(&self) -> &Ssl {
        &self.ssl
    }

    /// Returns `EnOS`, to change and compare with.
    pub fn enos(&self) -> &Enos {
        &self.enos
    }

    /// Returns the chat services.
    pub fn chat(&self) -> &Chat {
        &self.chat
    }

    /// Returns what was asked.
    pub fn log(&self) -> &Log {
        &self.shared.log
    }

    /// Returns how many connections were opened to a service.
    pub fn connections(&self, service: Service) -> u64 {
        self.opened[service as usize].load(Ordering::Relaxed)
    }

    /// Turns a fault on.
    pub fn fault(&self, service: Service, fault: Fault, times: Times) {
        self.shared.faults.add(service, None, fault, times);
    }

    /// Turns a fault on for one action.
    pub fn fault_on(&self, service: Service, action: &str, fault: Fault, times: Times) {
        self.shared.faults.add(service, Some(action), fault, times);
    }

    /// Turns every fault off.
    pub fn heal(&self) {
        self.shared.faults.heal();
    }

    /// Sets how many requests for an action one account may make to one region in any second.
    pub fn limit(&self, service: Service, action: &str, per_second: u64) {
        self.shared.log.limit(service, action, per_second);
    }

    /// Stops the services and closes every connection.
    pub async fn shutdown(mut self) {
        self.tasks.shutdown().await;
    }
}

async fn open(
    tasks: &mut JoinSet<()>,
    (name, port): (&str, u16),
    cloud: Arc<dyn Cloud>,
    opened: &Arc<AtomicU64>,
) -> io::Result<SocketAddr> {
    let listener = listen(name, port).await?;
    let address = listener.local_addr()?;
    tasks.spawn(http::serve(listener, cloud, Arc::clone(opened)));
    Ok(address)
}

async fn open_chat(tasks: &mut JoinSet<()>, port: u16, chat: &Chat) -> io::Result<SocketAddr> {
    let listener = listen("chat", port).await?;
    let address = listener.local_addr()?;
    let router = chat.router();
    tasks.spawn(async move {
        drop(axum::serve(listener, router).await);
    });
    Ok(address)
}

async fn listen(name: &str, port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| {
        let message = format!("cannot listen on 127.0.0.1:{port} for {name}: {error}");
        io::Error::new(error.kind(), message)
    })
}
