//! Health, readiness, and the wish for a reload.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::Shared;
use super::problem::Problem;

/// Answers that the process lives.
pub(super) async fn healthy() -> &'static str {
    "notafter is healthy\n"
}

/// Answers whether there is something to see, and whether what is decided can be kept.
pub(super) async fn ready(State(shared): State<Arc<Shared>>) -> Result<&'static str, Problem> {
    if !*shared.state.ready.borrow() {
        return Err(Problem::busy("the store is not open yet, or nothing has been read from it"));
    }
    if !*shared.state.writable.borrow() {
        return Err(Problem::busy("the store cannot be written; the log says why"));
    }
    Ok("notafter is ready\n")
}

/// Asks for a reload and waits for how it went.
pub(super) async fn reload(State(shared): State<Arc<Shared>>) -> Result<String, Problem> {
    let (answer, answered) = oneshot::channel();
    if shared.state.reload.try_send(answer).is_err() {
        return Err(Problem::busy("another reload is under way, or the daemon is stopping"));
    }
    match timeout(shared.limits.answer, answered).await {
        Ok(Ok(Ok(done))) => Ok(done + "\n"),
        Ok(Ok(Err(mistakes))) => Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, mistakes)),
        Ok(Err(_)) => Err(Problem::busy("the daemon is stopping")),
        Err(_) => Err(Problem::busy("the reload takes long; the log will tell how it went")),
    }
}
