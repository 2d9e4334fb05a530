//! The order of names.

use super::*;

fn covering(serial: &str, first: &str) -> Sighting {
    Sighting { names: vec![first.to_owned()], ..device(serial, 5) }
}

#[tokio::test]
async fn names_stand_in_their_order_over_pages_and_exports() {
    let mut world = World::new(PATIENCE);
    let rows = vec![named("s1", "b.example"), named("s2", "Alpha"), covering("s3", "beta")];
    world.learn("iot", "a", rows).await;
    world.learn("web", "all", vec![named("s4", "alpha"), device("aa-serial", 5)]).await;
    let expected = ["aa-serial", "s2", "s4", "s1", "s3"];
    for limit in ["1", "2", "3", "100"] {
        assert_eq!(world.all(&[("sort", "name"), ("limit", limit)]).await, expected, "{limit}");
        let turned = world.all(&[("sort", "-name"), ("limit", limit)]).await;
        assert!(turned.iter().rev().eq(expected), "{turned:?}");
    }
    assert_eq!(world.all(&[("sort", "name"), ("q", "alpha")]).await, ["s2", "s4"]);
    let of_source = [("sort", "name"), ("source", "iot"), ("limit", "1")];
    assert_eq!(world.all(&of_source).await, ["s2", "s1", "s3"]);
    let query = Query::read([("sort", "name")]).unwrap();
    let (taker, mut given) = tokio::sync::mpsc::channel(9);
    world.catalog.export(&query, taker).await.unwrap();
    let mut exported = Vec::new();
    while let Some(entries) = given.recv().await {
        exported.extend(entries.into_iter().map(|entry| entry.facts.serial));
    }
    assert_eq!(exported, expected);
}

#[tokio::test]
async fn a_page_goes_on_where_what_ended_it_has_gone() {
    let mut world = World::new(PATIENCE);
    let names = ["a", "b", "c", "d"].map(|name| named(name, name));
    let rows = world.learn("iot", "a", names.to_vec()).await;
    let asked = [("sort", "name"), ("limit", "2")];
    let next = world.page(&asked).await.next.unwrap();
    world.inventory.remove(rows[1]);
    world.view.send_replace(Arc::new(world.inventory.view()));
    let page = world.page(&[asked[0], asked[1], ("cursor", &next)]).await;
    let serials: Vec<_> = page.items.into_iter().map(|item| item.facts.serial).collect();
    assert_eq!((serials, page.next), (vec!["c".to_owned(), "d".to_owned()], None));
}

#[tokio::test]
async fn too_many_are_not_sorted_and_it_is_said_what_to_do() {
    let mut world = World::new(PATIENCE);
    let many = (0..=SORTED_BY_NAME).map(|number| device(&number.to_string(), 5));
    world.learn("iot", "a", many.collect()).await;
    world.learn("web", "all", vec![named("w", "w")]).await;
    let query = Query::read([("sort", "name")]).unwrap();
    let refused = world.catalog.list(&query).await.unwrap_err().to_string();
    assert!(refused.starts_with("sort: at most 5000 "), "{refused}");
    assert!(refused.contains("these are 5002"), "{refused}");
    assert_eq!(world.all(&[("sort", "name"), ("source", "web")]).await, ["w"]);
}
