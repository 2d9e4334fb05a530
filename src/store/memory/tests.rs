use futures_util::FutureExt;

use super::super::conformance::{Place, conformance};
use super::*;

impl Place for Memory {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.clone())
    }
}

#[tokio::test]
async fn a_power_cut_takes_what_only_the_process_would_have_survived() {
    let memory = Memory::default();
    let scopes = |number: u32| vec![(ScopeId(number), "iot".into(), number.to_string().into())];
    let step = |number| Commit { scopes: scopes(number), ..Commit::default() };
    let scopes = async || memory.saved().await.unwrap().scopes.len();
    let condition = vec![("key".to_owned(), Some(Timestamp::from_seconds(9)))];
    memory.commit(Arc::new(step(1))).await.unwrap();
    memory.commit(Arc::new(Commit { conditions: condition, ..step(2) })).await.unwrap();
    memory.cut_power();
    assert_eq!(scopes().await, 2, "what is written for a power cut keeps what came before it");
    memory.commit(Arc::new(step(3))).await.unwrap();
    memory.commit(Arc::new(step(4))).await.unwrap();
    assert_eq!(scopes().await, 4);
    memory.cut_power();
    assert_eq!(scopes().await, 2);
    memory.cut_power();
    assert_eq!(scopes().await, 2);
}

#[test]
fn conforms_without_ever_waiting() {
    let ended = conformance(Memory::default).now_or_never();
    assert_eq!(ended, Some(()), "a call waited for something");
}
