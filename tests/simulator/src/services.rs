//! The services themselves, however they are asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::chat::Chat;
use super::clock::Clock;
use super::enos::{App, Enos};
use super::fault::{Effects, Fault, Faults, Instead, Times};
use super::http::{Cloud, Reply};
use super::log::Log;
use super::mqtt::Mqtt;
use super::ssl::Ssl;
use super::tencent::Gate;
use super::wire::Wire;
use super::{APP_KEY, APP_SECRET, ORG, Service, Setup, random};

const PROXY_PAGE: &[u8] =
    b"<html><head><title>Bad Gateway</title></head><body>proxy</body></html>\n";

/// What the services share.
pub struct Shared {
    clock: Clock,
    pub(crate) faults: Faults,
    pub(crate) log: Log,
    gzip: bool,
    answered: AtomicU64,
}

impl Shared {
    pub(crate) fn millis(&self) -> i64 {
        (self.clock)()
    }

    pub(crate) fn seconds(&self) -> i64 {
        self.millis().div_euclid(1000)
    }

    pub(crate) fn request_id(&self) -> String {
        let number = self.answered.fetch_add(1, Ordering::Relaxed);
        let bytes = [random::mix(1, number).to_be_bytes(), random::mix(2, number).to_be_bytes()];
        let mut id = [0; 16];
        id.copy_from_slice(&bytes.concat());
        uuid::Builder::from_random_bytes(id).into_uuid().to_string()
    }

    /// Turns a body into an answer with what the faults make of it.
    pub(crate) fn finish(
        &self,
        body: Vec<u8>,
        instead: Option<Instead>,
        effects: &Effects,
    ) -> Reply {
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

/// The simulated services. They listen nowhere.
pub struct Services {
    shared: Arc<Shared>,
    mqtt: Arc<Mqtt>,
    ssl: Arc<Ssl>,
    enos: Arc<Enos>,
    chat: Chat,
    clouds: [Arc<dyn Cloud>; 3],
}

impl Services {
    /// Returns services that hold a fleet. Ports are not asked for.
    pub fn new(setup: Setup) -> Self {
        let Setup { fleet, accounts, gzip, clock, chat, .. } = setup;
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
        let clouds: [Arc<dyn Cloud>; 3] = [
            Arc::new(Gate::new(Arc::clone(&mqtt), Arc::clone(&shared), accounts.clone())),
            Arc::new(Gate::new(Arc::clone(&ssl), Arc::clone(&shared), accounts)),
            Arc::clone(&enos) as _,
        ];
        Self { shared, mqtt, ssl, enos, chat, clouds }
    }

    /// Returns what answers for the MQTT product, the SSL product and `EnOS`.
    pub(crate) fn clouds(&self) -> [Arc<dyn Cloud>; 3] {
        self.clouds.clone()
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
}
