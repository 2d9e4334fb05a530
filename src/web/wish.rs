//! What the pipeline is asked to do for somebody.

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::Shared;
use super::problem::Problem;
use crate::store::{OutboxAnswer, OutboxOrder, OutboxRequest};

/// Has something done with a message, and answers what became of it.
pub(super) async fn order(
    shared: &Shared,
    id: i64,
    order: OutboxOrder,
) -> Result<OutboxAnswer, Problem> {
    let (answer, answered) = oneshot::channel();
    let request = OutboxRequest { id, order, answer };
    let stopping = || Problem::busy("the daemon is stopping");
    let asked = async {
        shared.state.orders.send(request).await.map_err(|_| stopping())?;
        let answer = answered.await.map_err(|_| stopping())?;
        answer.map_err(|error| Problem::busy(error.to_string()))
    };
    let late = || Problem::busy("the daemon is busy; look at the list before you try again");
    timeout(shared.limits.answer, asked).await.map_err(|_| late())?
}

/// Returns why nothing was done, and what to do instead.
pub(super) fn why_not(answer: &OutboxAnswer) -> String {
    match answer {
        OutboxAnswer::Done { .. } => String::new(),
        OutboxAnswer::Unknown => "there is no such message".to_owned(),
        OutboxAnswer::NotGivenUp => {
            "it was not given up: it is sent by itself, or was delivered".to_owned()
        }
        OutboxAnswer::Replaced => {
            "what is in it was said again since, or is true no more; it can only be dropped"
                .to_owned()
        }
        OutboxAnswer::NoChannel(channel) => {
            format!("no channel has the name `{channel}` any more; the message can only be dropped")
        }
    }
}
