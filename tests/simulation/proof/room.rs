//! The rooms: each speaks as a real chat service is spoken to, and fails when the scene says so.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use notafter::facade::channel::{Channel, Pace, Page, Receipt, SendError};
use notafter::facade::expiry::Message;
use xxhash_rust::xxh3::xxh3_64;

use super::scene::RoomFault;
use super::stage::Stage;

/// How long a service may ask to be left alone: less than two messages are apart, and longer than it counts.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(97)];

/// Longer than the daemon waits for anybody.
const FOR_EVER: Duration = Duration::from_hours(2);

pub(crate) struct ProofRoom {
    pub(crate) index: usize,
    /// The codec of its kind.
    pub(crate) real: Arc<dyn Channel>,
    pub(crate) stage: Arc<Stage>,
}

/// What each body says, by room and digest: kept over processes, as the bodies are.
#[derive(Default)]
pub(crate) struct Composed(Mutex<HashMap<(usize, u64), Part>>);

impl Composed {
    fn part(&self, room: usize, body: &str) -> Option<Part> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&(room, xxh3_64(body.as_bytes()))).cloned()
    }

    fn note(&self, room: usize, bodies: &[String], message: &Message, composed: i64) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (message, pages) = (Arc::new(message.clone()), bodies.len());
        for (page, body) in bodies.iter().enumerate() {
            let part = Part { message: Arc::clone(&message), page, pages, composed };
            known.insert((room, xxh3_64(body.as_bytes())), part);
        }
    }
}

/// One page of a message.
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) message: Arc<Message>,
    pub(crate) page: usize,
    pub(crate) pages: usize,
    /// When it was composed, by the right time.
    pub(crate) composed: i64,
}

impl ProofRoom {
    fn refuse((fault, pause): (RoomFault, Duration)) -> Result<Receipt, SendError> {
        let code = || "http 500".to_owned();
        Err(match fault {
            RoomFault::Fails => SendError::Retry { after: None, code: code() },
            RoomFault::CutBefore => SendError::Retry { after: None, code: "refused".to_owned() },
            RoomFault::Unknown => {
                SendError::Retry { after: None, code: format!("{}200 no", SendError::UNKNOWN) }
            }
            RoomFault::Throttles => {
                SendError::Throttled { after: pause, code: "http 429".to_owned() }
            }
            RoomFault::NotFound => SendError::ChannelDown {
                code: "http 404".to_owned(),
                hint: "look for it".to_owned(),
            },
            RoomFault::Down => SendError::ChannelDown {
                code: "token revoked".to_owned(),
                hint: "make another".to_owned(),
            },
            RoomFault::Rejects => SendError::RejectMessage { code: "invalid blocks".to_owned() },
            RoomFault::CutAfter | RoomFault::Hangs => {
                SendError::Ambiguous { code: "connection reset".to_owned() }
            }
            RoomFault::Panics => panic!("the room panics, as the scene wants"),
        })
    }
}

#[async_trait]
impl Channel for ProofRoom {
    fn encode(&self, message: &Message) -> Vec<String> {
        let bodies = self.real.encode(message);
        self.stage.composed.note(self.index, &bodies, message, self.stage.right());
        bodies
    }

    async fn send_page(&self, page: Page<'_>) -> Result<Receipt, SendError> {
        let stage = &self.stage;
        let part = stage.composed.part(self.index, page.body);
        stage.judge().sent(self.index, part.as_ref(), &page);
        stage.cross("room", || format!("{} is sent {} {}", self.index, page.id, page.body)).await;
        stage.fate.latency("room").await;
        let fault = stage.room_fault(self.index);
        if fault == Some(RoomFault::Hangs) {
            // Whoever waits gives up before this ends, so that it is written down at once.
            if let Some(part) = &part {
                stage.judge().refused(self.index, part, (RoomFault::Hangs, Duration::ZERO));
            }
            tokio::time::sleep(FOR_EVER).await;
        }
        if fault.is_none_or(|fault| fault == RoomFault::CutAfter)
            && let Some(part) = &part
        {
            stage.judge().taken(self.index, part);
        }
        stage.cross("room", || format!("{} answers {} {fault:?}", self.index, page.id)).await;
        let Some(fault) = fault else { return Ok(Receipt::default()) };
        let pause = PAUSES[usize::from(stage.fate.happens("room pause", 2))];
        if let Some(part) = &part {
            stage.judge().refused(self.index, part, (fault, pause));
        }
        Self::refuse((fault, pause))
    }

    fn pace(&self) -> Pace {
        self.real.pace()
    }

    fn resend(&self) -> Option<Duration> {
        self.real.resend()
    }

    fn destination(&self) -> String {
        format!("room {}", self.index)
    }
}
