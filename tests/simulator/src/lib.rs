//! Three clouds and the chat services, on loopback or in process: exact envelopes, checked signatures, a fleet from a
//! seed, and misbehaviour on command.
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
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use chat::Chat;
use clock::Clock;
use fleet::Fleet;
use http::Cloud;
use tc3::Account;

pub use in_process::Broken;
pub use services::Services;

pub mod clock;
pub mod fleet;
pub mod fault;
pub mod log;
pub mod mqtt;
pub mod ssl;
pub mod enos;
pub mod chat;
mod random;
pub mod tls;
mod certificate;
mod bend;
mod tencent;
pub mod tc3;
pub mod http;
mod wire;
mod services;
mod in_process;

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

/// The simulated services on loopback, until it is dropped.
pub struct Simulator {
    services: Services,
    addresses: [SocketAddr; 4],
    /// Connections that were opened to the MQTT product, the SSL product and `EnOS`.
    opened: [Arc<AtomicU64>; 3],
    tasks: JoinSet<()>,
}

impl Deref for Simulator {
    type Target = Services;

    fn deref(&self) -> &Services {
        &self.services
    }
}

impl Simulator {
    /// Starts the services; fails when a port is taken.
    pub async fn start(setup: Setup) -> io::Result<Self> {
        let ports = setup.ports;
        let services = Services::new(setup);
        let mut tasks = JoinSet::new();
        let opened = <[Arc<AtomicU64>; 3]>::default();
        let [mqtt, ssl, enos] = services.clouds();
        let [mqtt_opened, ssl_opened, enos_opened] = &opened;
        let addresses = [
            open(&mut tasks, ("mqtt", ports.mqtt), mqtt, mqtt_opened).await?,
            open(&mut tasks, ("ssl", ports.ssl), ssl, ssl_opened).await?,
            open(&mut tasks, ("enos", ports.enos), enos, enos_opened).await?,
            open_chat(&mut tasks, ports.chat, services.chat()).await?,
        ];
        Ok(Self { services, addresses, opened, tasks })
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

    /// Returns how many connections were opened to a service.
    pub fn connections(&self, service: Service) -> u64 {
        self.opened[service as usize].load(Ordering::Relaxed)
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
