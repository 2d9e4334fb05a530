use futures_util::FutureExt;

use super::super::conformance::{Place, conformance};
use super::*;

impl Place for Memory {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.clone())
    }
}

#[test]
fn conforms_without_ever_waiting() {
    let ended = conformance(Memory::default).now_or_never();
    assert_eq!(ended, Some(()), "a call waited for something");
}
