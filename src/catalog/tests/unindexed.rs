//! What the index of names cannot be asked for.

use super::*;

#[tokio::test]
async fn a_part_with_a_nul_is_looked_for_in_the_names_themselves() {
    let mut world = World::new(PATIENCE);
    let rows = vec![named("s1", "a\0bc"), named("s2", "abc"), named("s3", "xyz-a\0bc")];
    world.learn("iot", "a", rows).await;
    let moment = world.catalog.moment();
    assert_eq!(world.catalog.rarest(&moment, "a\0b").await.unwrap(), None);
    let asked = world.catalog.rarest(&moment, "xyz-a\0bc").await.unwrap().unwrap();
    assert!(!asked.is_empty() && asked.iter().all(|part| !part.contains('\0')), "{asked:?}");
    for (wanted, expected) in [("a\0b", &["s1", "s3"][..]), ("xyz-a\0bc", &["s3"])] {
        let mut found = world.all(&[("q", wanted)]).await;
        found.sort();
        assert_eq!(found, expected, "{wanted:?}");
    }
}
