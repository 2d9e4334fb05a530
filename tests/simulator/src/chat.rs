//! The chat services as they are: HTTP 200 with an error code, limits in the vendor's unit, signatures, rates,
//! blocks, and misbehaviour on command. It uses nothing of the daemon.
//!
//! | robot | address under the server |
//! |---|---|
//! | Slack | `/slack/services/T/B/x` |
//! | Feishu | `/feishu/open-apis/bot/v2/hook/{token}` |
//! | `DingTalk` | `/dingtalk/robot/send?access_token=…` |
//! | `WeCom` | `/wecom/cgi-bin/webhook/send?key=…` |
//! | webhook | `/webhook/{name}` |
//! | Discord | `/discord/api/webhooks/{id}/{token}` |
//! | Teams | `/teams/workflows/{id}/triggers/manual/paths/invoke?sig=…` |
//! | Mattermost | `/mattermost/hooks/{token}` |
//! | Google Chat | `/google-chat/v1/spaces/{space}/messages?key=…&token=…` |
//! | Telegram | `/telegram/bot{token}/sendMessage` |
//! | ntfy | `/` |
//! | `PagerDuty` | `/v2/enqueue` |

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use serde_json::Value;
use tokio::sync::watch;

use fault::misbehave;
use rate::Rates;
use robots::{Accepted, Arrival};

mod discord;
mod fault;
mod feishu;
mod google_chat;
mod mattermost;
mod ntfy;
mod pagerduty;
mod rate;
mod robots;
mod routes;
mod signature;
mod slack;
mod teams;
mod telegram;
mod verdicts;

pub use fault::Fault;

/// The signing secret of the simulated Feishu robots.
pub const FEISHU_SECRET: &str = "simulated-feishu-signing-secret";
/// The signing secret of the simulated `DingTalk` robots.
pub const DINGTALK_SECRET: &str = "SECsimulated0dingtalk0signing0secret";
/// The signing secret of the simulated webhook receivers.
pub const WEBHOOK_SECRET: &str = "whsec_c2ltdWxhdGVkLXdlYmhvb2stc2lnbmluZy1rZXk=";

/// More messages than this are not kept.
const MOST_KEPT: usize = 20_000;

/// Which chat service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    Slack,
    Feishu,
    DingTalk,
    WeCom,
    Webhook,
    Discord,
    Teams,
    Mattermost,
    GoogleChat,
    Telegram,
    Ntfy,
    PagerDuty,
}

/// What the robots ask for.
#[derive(Clone)]
pub struct Settings {
    /// The services' clock, in milliseconds since the epoch.
    pub clock: Arc<dyn Fn() -> i64 + Send + Sync>,
    /// Feishu robots ask for a signature with it.
    pub feishu_secret: Option<String>,
    /// `DingTalk` robots ask for a signature with it.
    pub dingtalk_secret: Option<String>,
    /// Webhook receivers ask for a signature with it.
    pub webhook_secret: Option<String>,
    /// Feishu and `DingTalk` robots ask for this word in every message.
    pub keyword: Option<String>,
    /// How much faster than real the rates run: 60 makes a minute last a second.
    pub speed: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            clock: Arc::new(machine_millis),
            feishu_secret: Some(FEISHU_SECRET.to_owned()),
            dingtalk_secret: Some(DINGTALK_SECRET.to_owned()),
            webhook_secret: Some(WEBHOOK_SECRET.to_owned()),
            keyword: None,
            speed: 1,
        }
    }
}

/// One message that was accepted.
#[derive(Clone, Debug)]
pub struct Received {
    /// By whom.
    pub service: Service,
    /// Into which room: the token, key or name in the address.
    pub room: String,
    /// What people in the room read.
    pub text: String,
    /// The whole request body.
    pub body: Value,
    /// The `webhook-id`, or the id in the last line of the text.
    pub id: Option<String>,
    /// When, in milliseconds since the epoch.
    pub at: i64,
}

/// One request that was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// By whom.
    pub service: Service,
    /// For which room.
    pub room: String,
    /// The status and the verdict in the body.
    pub code: String,
}

/// What a service answers.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

/// The chat services. Clones are the same services.
#[derive(Clone)]
pub struct Chat {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    state: Mutex<Kept>,
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct Kept {
    received: VecDeque<Received>,
    refused: Vec<Refused>,
    once: HashMap<Service, VecDeque<Fault>>,
    lasting: HashMap<Service, Fault>,
    removed: HashSet<(Service, String)>,
    rates: Rates,
}

impl Default for Chat {
    fn default() -> Self {
        Self::new()
    }
}

impl Chat {
    /// Returns services with the known secrets, real rates and the machine's clock.
    pub fn new() -> Self {
        Self::with(Settings::default())
    }

    /// Returns services with these settings.
    pub fn with(settings: Settings) -> Self {
        let (changes, _) = watch::channel(0);
        Self { inner: Arc::new(Inner { settings, state: Mutex::default(), changes }) }
    }

    /// Returns the routes of all services.
    pub fn router(&self) -> Router {
        routes::routes(self.clone())
    }

    /// Makes the next request to `service` fail. Several calls are several requests, in order.
    pub fn fail(&self, service: Service, fault: Fault) {
        self.with_state(|state| state.once.entry(service).or_default().push_back(fault));
    }

    /// Makes every request to `service` fail, until it is healed.
    pub fn fail_always(&self, service: Service, fault: Fault) {
        self.with_state(|state| drop(state.lasting.insert(service, fault)));
    }

    /// Takes back every fault of `service`, and brings its removed robots back.
    pub fn heal(&self, service: Service) {
        self.with_state(|state| {
            state.once.remove(&service);
            state.lasting.remove(&service);
            state.removed.retain(|(other, _)| *other != service);
        });
    }

    /// Removes the robot of a room, as somebody in the group would.
    pub fn remove(&self, service: Service, room: &str) {
        self.with_state(|state| {
            state.removed.insert((service, room.to_owned()));
        });
    }

    /// Returns the accepted messages, oldest first.
    pub fn received(&self) -> Vec<Received> {
        self.with_state(|state| state.received.iter().cloned().collect())
    }

    /// Returns the requests that were refused, oldest first.
    pub fn refused(&self) -> Vec<Refused> {
        self.with_state(|state| state.refused.clone())
    }

    /// Returns the accepted messages as soon as they are as `wanted`, or as they are when the time is over as an error.
    pub async fn wait_for(
        &self,
        limit: Duration,
        wanted: impl Fn(&[Received]) -> bool,
    ) -> Result<Vec<Received>, Vec<Received>> {
        let mut changes = self.inner.changes.subscribe();
        let until_wanted = async {
            loop {
                let received = self.received();
                if wanted(&received) {
                    return received;
                }
                if changes.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        tokio::time::timeout(limit, until_wanted).await.map_err(|_| self.received())
    }

    fn with_state<T>(&self, use_state: impl FnOnce(&mut Kept) -> T) -> T {
        use_state(&mut self.inner.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn next_fault(&self, service: Service) -> Option<Fault> {
        self.with_state(|state| {
            let once = state.once.get_mut(&service).and_then(VecDeque::pop_front);
            once.or_else(|| state.lasting.get(&service).cloned())
        })
    }

    /// Takes one request in, as the service would, and answers.
    async fn receive(&self, arrival: Arrival) -> Response {
        let (service, room) = (arrival.service, arrival.room.clone());
        let fault = self.next_fault(service);
        if fault == Some(Fault::Hang) {
            if let Ok(accepted) = self.judge(&arrival) {
                self.keep(&arrival, accepted);
            }
            return std::future::pending().await;
        }
        let slow = match fault {
            Some(Fault::Slow(time)) => Some(time),
            _ => None,
        };
        let fault = fault.filter(|_| slow.is_none());
        let answer = match fault.map(|fault| misbehave(service, fault)) {
            Some(answer) => Err(answer),
            None => self.judge(&arrival),
        };
        let answer = match answer {
            Ok(accepted) => {
                self.keep(&arrival, accepted);
                robots::accepted(service)
            }
            Err(answer) => {
                let code = format!("{} {}", answer.status, answer.body);
                self.with_state(|state| state.refused.push(Refused { service, room, code }));
                answer
            }
        };
        self.inner.changes.send_modify(|changes| *changes += 1);
        if let Some(time) = slow {
            tokio::time::sleep(time).await;
        }
        response(answer, self.millis())
    }

    fn judge(&self, arrival: &Arrival) -> Result<Accepted, Answer> {
        let (now, settings) = (self.millis(), &self.inner.settings);
        let key = (arrival.service, arrival.room.clone());
        let (removed, limited) = self.with_state(|state| {
            (state.removed.contains(&key), state.rates.exceeded(key.clone(), now, settings.speed))
        });
        if removed {
            return Err(robots::removed(arrival.service));
        }
        if limited {
            return Err(robots::limited(arrival.service));
        }
        robots::judge(arrival, settings, now)
    }

    fn keep(&self, arrival: &Arrival, accepted: Accepted) {
        let Accepted { text, body, id } = accepted;
        let received = Received {
            service: arrival.service,
            room: arrival.room.clone(),
            text,
            body,
            id,
            at: self.millis(),
        };
        self.with_state(|state| {
            if state.received.len() == MOST_KEPT {
                state.received.pop_front();
            }
            state.received.push_back(received);
        });
        self.inner.changes.send_modify(|changes| *changes += 1);
    }

    fn millis(&self) -> i64 {
        (self.inner.settings.clock)()
    }
}

fn response(answer: Answer, now: i64) -> Response {
    let date = chrono::DateTime::from_timestamp_millis(now).unwrap_or_default();
    let mut builder = Response::builder()
        .status(answer.status)
        .header("date", date.format("%a, %d %b %Y %H:%M:%S GMT").to_string());
    for (name, value) in answer.headers {
        builder = builder.header(name, value);
    }
    builder.body(Body::from(answer.body)).unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "the services have a clock of their own")]
fn machine_millis() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

#[cfg(test)]
mod tests;
