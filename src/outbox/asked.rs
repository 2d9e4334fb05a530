//! Tests that somebody asks for.

use tokio::sync::mpsc;

use crate::channel::TestAnswer;

/// Tests that are asked for. Where nobody can ask, none ever comes.
pub(super) struct Trials(Option<mpsc::Receiver<TestAnswer>>);

impl Trials {
    pub(super) const fn new(asked: Option<mpsc::Receiver<TestAnswer>>) -> Self {
        Self(asked)
    }

    /// Waits until somebody asks for a test.
    pub(super) async fn next(&mut self) -> TestAnswer {
        if let Some(asked) = &mut self.0
            && let Some(answer) = asked.recv().await
        {
            return answer;
        }
        std::future::pending().await
    }
}
