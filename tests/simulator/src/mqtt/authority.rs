//! The CA certificates of an instance.

use serde_json::json;

use super::row::Row;
use crate::certificate::{Escapes, Facts, Template, ca_name};
use crate::fleet::{DAY, Fleet, Instance, Truth};
use crate::random::mix_text;

/// A CA certificate, signed by itself.
pub(super) struct Authority {
    serial: String,
    name: String,
    pem: String,
    begin: i64,
    end: i64,
}

impl Authority {
    /// Makes the CAs of an instance. The second ends before its leaves.
    pub(super) fn of(fleet: &Fleet, spec: &Instance) -> Vec<Self> {
        let seed = mix_text(fleet.seed, &spec.id);
        (0..spec.cas)
            .map(|ca| {
                let end = fleet.now + if ca == 1 { 25 * DAY } else { 1800 * DAY };
                Self::new(Row::ca_serial(seed, ca), ca, end)
            })
            .collect()
    }

    fn new(serial: String, ca: u64, end: i64) -> Self {
        let name = ca_name(ca);
        let begin = end - 3650 * DAY;
        let mut bytes = [0; 20];
        hex::decode_to_slice(&serial, &mut bytes).expect("a serial is 40 hex digits");
        let facts = Facts { serial: &bytes, ca, begin, end, common_name: name.as_bytes() };
        let mut pem = Vec::new();
        Template::new(ca, &name, true, Escapes::Few).write_json(&mut pem, &facts);
        let pem = String::from_utf8(pem).expect("PEM is text").replace("\\n", "\n");
        Self { serial, name, pem, begin, end }
    }

    /// Returns what an inventory should hold of it.
    pub(super) fn truth(&self) -> Truth {
        Truth {
            issuer: self.name.clone(),
            serial: self.serial.clone(),
            not_after: Some(self.end),
            said_not_after: Some(self.end),
            status: "ACTIVE".to_owned(),
            holder: String::new(),
            common_name: self.name.clone(),
            unit: String::new(),
        }
    }

    /// Returns it as `DescribeCaCertificates` does.
    pub(super) fn json(&self) -> String {
        json!({
            "CaCn": self.name,
            "CaCertificate": self.pem,
            "CaSn": self.serial,
            "Format": "PEM",
            "VerificationCertificate": self.pem,
            "Status": "ACTIVE",
            "LastActivationTime": self.begin * 1000,
            "CreatedTime": self.begin * 1000,
            "UpdateTime": self.begin * 1000,
            "LastInactivationTime": 0,
            "CaIssuerCn": self.name,
            "NotBeforeTime": self.begin * 1000,
            "NotAfterTime": self.end * 1000,
        })
        .to_string()
    }
}
