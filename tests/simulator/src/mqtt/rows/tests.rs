use super::super::select::{Condition, Order, Selection};
use super::*;
use crate::fleet::{Fleet, Truth};

const NOW: i64 = 1_763_827_200;

/// An instance that lived: rows deleted, inserted, renewed, changed.
fn lived(seed: u64) -> Rows {
    let spec = Instance::new("mqtt-test", 1500);
    let mut rows = Rows::new(Fleet::new(seed, NOW).seed, NOW, &spec);
    for step in 0..200 {
        let at = (NOW + step as i64) * 1000;
        let index = mix(seed, step) % rows.next_index();
        match step % 5 {
            0 => drop(rows.insert(mix(seed, step) % 7, at)),
            1 => drop(rows.insert_ending(3, NOW + 5 * DAY, at)),
            2 => drop(rows.renew(index, at)),
            3 => rows.set_status(index, Status::Revoked, at),
            _ => drop(rows.delete(index..index + 5)),
        }
    }
    rows
}

/// What `select` does, row by row.
fn slowly(rows: &Rows, selection: &Selection) -> (u64, Vec<u64>) {
    let truth = |index: u64| rows.row(index).truth();
    let fits = |index: &u64| {
        let it = truth(*index);
        let in_window = selection.window.is_none_or(|(low, high)| {
            it.said_not_after.is_some_and(|end| low <= end && end <= high)
        });
        in_window && selection.conditions.iter().all(|condition| holds(&it, condition))
    };
    let mut found: Vec<u64> =
        (0..rows.next_index()).filter(|index| rows.is_live(*index)).filter(fits).collect();
    let descending = match selection.order {
        Order::Created { descending } => descending,
        Order::Updated { descending } => {
            found.sort_by_key(|index| (rows.row(*index).updated, *index));
            descending
        }
    };
    if descending {
        found.reverse();
    }
    let total = found.len() as u64;
    let page = found.into_iter().skip(selection.offset as usize).take(selection.limit as usize);
    (total, page.collect())
}

fn holds(truth: &Truth, condition: &Condition) -> bool {
    match condition {
        Condition::Client(values) => values.contains(&truth.holder),
        Condition::Ca(values) => values.contains(&truth.issuer),
        Condition::Serial(values) => values.contains(&truth.serial),
        Condition::CommonName(values) => values.contains(&truth.common_name),
        Condition::Unit(values) => values.contains(&truth.unit),
        Condition::Status(values) => values.contains(&truth.status),
    }
}

fn conditions(rows: &Rows, number: u64) -> Vec<Condition> {
    let some = rows.row(number % rows.next_index()).truth();
    match number % 9 {
        0 => vec![Condition::Client(vec![some.holder])],
        1 => vec![Condition::Ca(vec![some.issuer])],
        2 => vec![Condition::Serial(vec![some.serial, "00".to_owned()])],
        3 => vec![Condition::CommonName(vec![some.common_name])],
        4 => vec![Condition::Status(vec!["REVOKED".to_owned()]), Condition::Ca(vec![some.issuer])],
        5 => vec![Condition::Unit(vec![some.unit])],
        _ => Vec::new(),
    }
}

#[test]
fn a_page_is_what_a_walk_over_every_row_gives() {
    let mut wanted_rows = 0;
    for seed in 0..6 {
        let rows = lived(seed);
        let live = (0..rows.next_index()).filter(|index| rows.is_live(*index));
        assert_eq!(rows.live(), live.count() as u64);
        for number in 0..120 {
            let hash = mix(seed ^ 0xABC, number);
            let low = NOW - 70 * DAY + (hash >> 8) as i64 % (750 * DAY);
            let high = low + (hash >> 20) as i64 % (200 * DAY);
            let descending = hash & 1 == 1;
            let order = match hash >> 1 & 1 {
                0 => Order::Created { descending },
                _ => Order::Updated { descending },
            };
            let window = (hash >> 2 & 3 != 0).then_some((low, high));
            let conditions = conditions(&rows, hash >> 32);
            let (offset, limit) = ((hash >> 5) % 300, (hash >> 13) % 100 + 1);
            let selection = Selection { window, conditions, order, offset, limit };
            let wanted = slowly(&rows, &selection);
            wanted_rows += wanted.1.len();
            assert_eq!(rows.select(&selection), wanted, "seed {seed}, selection {number}");
        }
    }
    assert!(wanted_rows > 5000, "the selections select something: {wanted_rows}");
}

#[test]
fn rows_are_the_same_every_time_and_named_apart() {
    let (one, two) = (lived(3), lived(3));
    let all = |rows: &Rows| -> Vec<Truth> {
        (0..rows.next_index()).map(|index| rows.row(index).truth()).collect()
    };
    let (one, two) = (all(&one), all(&two));
    assert_eq!(one, two);
    let serials: std::collections::BTreeSet<&String> = one.iter().map(|it| &it.serial).collect();
    assert_eq!(serials.len(), one.len());
    assert!(serials.iter().any(|serial| serial.starts_with('0')), "leading zeros are real");
}

#[test]
fn a_windowed_page_of_ten_million_rows_looks_at_blocks_only() {
    let spec = Instance::new("mqtt-test", 10_000_000);
    let rows = Rows::new(1, NOW, &spec);
    assert!(rows.blocks.len() < 5000, "{} blocks", rows.blocks.len());
    let mut total = 0;
    for days in (-60..670).step_by(10) {
        let window = Some((NOW + days * DAY, NOW + (days + 10) * DAY - 1));
        let order = Order::Created { descending: false };
        let selection = Selection { window, conditions: Vec::new(), order, offset: 0, limit: 1 };
        total += rows.select(&selection).0;
    }
    let undated: u64 = rows.blocks.iter().map(|block| block.undated).sum();
    assert_eq!(total + undated, 10_000_000);
}
