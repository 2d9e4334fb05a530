//! Pages of products and devices, and certificates as `EnOS` writes them.

use serde_json::{Map, Value, json};

use super::State;
use super::devices::{Certificate, Devices};
use super::expression::Expression;

impl State {
    /// Returns a page and the total. Only the rows of the page are made, unless the expression looks at more than the product.
    pub(super) fn page(
        &self,
        expression: &Expression,
        of_devices: bool,
        wanted: std::ops::Range<u64>,
        projection: Option<&[String]>,
    ) -> (u64, Vec<Value>) {
        if !of_devices {
            let all = self.devices.products();
            let rows = all.map(|(key, mutual)| Devices::product_json(&key, mutual));
            return take_page(rows.filter(|row| expression.holds(row)), wanted, |row| row);
        }
        let found: Box<dyn Iterator<Item = u64>> = match expression {
            Expression::True => Box::new(self.devices.live()),
            Expression::In(field, values) if field == "productKey" => {
                Box::new(self.devices.live_in(values))
            }
            other => Box::new(
                self.devices.live().filter(|index| other.holds(&self.devices.device_json(*index))),
            ),
        };
        take_page(found, wanted, |index| project(self.devices.device_json(index), projection))
    }

    pub(super) fn certificate(&self, it: &Certificate, asset: &str, org: &str) -> Value {
        let issuer = "EMAILADDRESS=ca@eniot.io, CN=EnOS CA, OU=EnOS CA, O=EnOS, L=Shanghai, ST=Shanghai, C=CN";
        let mut row = json!({
            "certSN": it.serial.to_string(),
            "cert": it.serial.to_string(),
            "certStatus": it.status,
            "issuer": issuer,
            "subject": format!("EMAILADDRESS=x, OU=EnOS, CN={asset}, O=EnOS, L=Shanghai, ST=Shanghai, C=CN"),
            "signDate": it.begin * 1000,
            "expireDate": it.end * 1000,
            "isEnosCert": true,
            "issueAuthority": it.authority(),
            // Documented for revoked ones only, and yet empty on the others.
            "revoker": if it.status == 1 { "IoT_Hub" } else { "" },
            "revokerReason": if it.status == 1 { "KEY COMPROMISE" } else { "" },
        });
        let start = if self.spelled_right { "effectiveDate" } else { "effetiveDate" };
        row[start] = json!(it.begin * 1000);
        if it.ecc {
            row["audit"] = json!({
                "createBy": org,
                "createTime": it.begin * 1000,
                "updateBy": org,
                "updateTime": it.begin * 1000,
                "ns": org,
                "deleted": false,
            });
        }
        row
    }
}

fn take_page<T>(
    found: impl Iterator<Item = T>,
    wanted: std::ops::Range<u64>,
    make: impl Fn(T) -> Value,
) -> (u64, Vec<Value>) {
    let mut total = 0;
    let mut page = Vec::new();
    for item in found {
        if wanted.contains(&total) {
            page.push(make(item));
        }
        total += 1;
    }
    (total, page)
}

fn project(row: Value, projection: Option<&[String]>) -> Value {
    match (row, projection) {
        (Value::Object(fields), Some(wanted)) => {
            let kept = fields.into_iter().filter(|(name, _)| wanted.contains(name));
            Value::Object(kept.collect::<Map<_, _>>())
        }
        (row, _) => row,
    }
}
