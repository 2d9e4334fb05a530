//! Answers that break the contract: the JSON of a good answer, changed.

use serde_json::{Value, json};

use super::fault::Fault;

/// Where an answer has what faults change.
pub(crate) struct Shape {
    /// A pointer to the list.
    pub list: &'static str,
    /// A pointer to the total.
    pub total: &'static str,
    /// The field of a row that says when it ends.
    pub end: &'static str,
    /// The field of a row that says its status.
    pub status: &'static str,
    /// The fields that name a row.
    pub names: &'static [&'static str],
}

/// Returns the answer with the changes made.
pub(crate) fn bend(body: Vec<u8>, faults: &[Fault], shape: &Shape) -> Vec<u8> {
    if faults.is_empty() {
        return body;
    }
    let mut answer: Value = serde_json::from_slice(&body).expect("a good answer is JSON");
    for fault in faults {
        bend_one(&mut answer, fault, shape);
    }
    answer.to_string().into_bytes()
}

fn bend_one(answer: &mut Value, fault: &Fault, shape: &Shape) {
    match fault {
        Fault::TotalOff(by) => {
            if let Some(total) = answer.pointer_mut(shape.total) {
                *total = json!((total.as_i64().unwrap_or(0) + by).max(0));
            }
        }
        Fault::EmptyPage => set(answer, shape.list, json!([])),
        Fault::NullList => set(answer, shape.list, Value::Null),
        _ => {
            let rows = answer.pointer_mut(shape.list).and_then(Value::as_array_mut);
            bend_rows(rows.map_or(&mut [], Vec::as_mut_slice), fault, shape);
        }
    }
}

fn set(answer: &mut Value, pointer: &str, value: Value) {
    if let Some(place) = answer.pointer_mut(pointer) {
        *place = value;
    }
}

fn bend_rows(rows: &mut [Value], fault: &Fault, shape: &Shape) {
    let middle = rows.len() / 2;
    for (index, row) in rows.iter_mut().enumerate() {
        let Some(fields) = row.as_object_mut() else { continue };
        match fault {
            Fault::NullFields if index % 3 == 0 => {
                for (name, value) in fields.iter_mut() {
                    if !shape.names.contains(&name.as_str()) {
                        *value = Value::Null;
                    }
                }
            }
            Fault::NoEnds if index % 3 == 0 => set_field(fields, shape.end, Value::Null),
            Fault::NoEnds if index % 3 == 1 => set_field(fields, shape.end, json!(0)),
            Fault::NoEnds => drop(fields.remove(shape.end)),
            Fault::WrongTypes if index == middle => {
                set_field(fields, shape.end, json!("soon"));
                set_field(fields, shape.status, json!(["ACTIVE"]));
            }
            _ => {}
        }
    }
}

fn set_field(fields: &mut serde_json::Map<String, Value>, name: &str, value: Value) {
    fields.insert(name.to_owned(), value);
}
