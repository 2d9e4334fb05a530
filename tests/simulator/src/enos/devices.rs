//! The products, devices and certificates of an `EnOS` organisation, made from their index.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::POISON;
use crate::fleet::{DAY, Fleet, Truth};
use crate::random::{mix, scramble, unscramble, word};

/// Everything an organisation has. A device's index is its place in order of creation, over all products.
pub(super) struct Devices {
    seed: u64,
    now: i64,
    products: Vec<bool>,
    all: Vec<Device>,
    /// Certificates made later, by device; they revoke what was valid before.
    renewed: HashMap<u64, Vec<Certificate>>,
}

#[derive(Clone, Copy)]
struct Device {
    product: u16,
    gone: bool,
}

/// A certificate of a device. Times are in seconds.
#[derive(Clone, Debug)]
pub(super) struct Certificate {
    pub serial: u64,
    /// 0 valid, 1 revoked, 2 expired.
    pub status: u64,
    pub ecc: bool,
    pub begin: i64,
    pub end: i64,
}

impl Certificate {
    /// Returns `issueAuthority`.
    pub(super) fn authority(&self) -> &'static str {
        if self.ecc { "ECC" } else { "RSA" }
    }
}

/// Every this many devices one has a key that must be percent-encoded in a query.
const ODD_KEYS: u64 = 50;

impl Devices {
    /// Makes the devices that an organisation starts with.
    pub(super) fn new(fleet: &Fleet) -> Self {
        let mut all = Vec::new();
        for (product, spec) in fleet.products.iter().enumerate() {
            let device = Device { product: u16::try_from(product).unwrap_or(0), gone: false };
            all.extend((0..spec.devices).map(|_| device));
        }
        let products = fleet.products.iter().map(|product| product.mutual).collect();
        Self { seed: fleet.seed, now: fleet.now, products, all, renewed: HashMap::new() }
    }

    /// Adds devices to a product; returns the index of the first.
    pub(super) fn insert(&mut self, product: usize, count: u64) -> u64 {
        let first = self.all.len() as u64;
        let device = Device { product: u16::try_from(product).unwrap_or(0), gone: false };
        self.all.extend((0..count).map(|_| device));
        first
    }

    /// Deletes a device; returns whether it was there.
    pub(super) fn delete(&mut self, index: u64) -> bool {
        let device = self.all.get_mut(index as usize);
        device.is_some_and(|device| !std::mem::replace(&mut device.gone, true))
    }

    /// Makes a new certificate for a device, which revokes the one before.
    pub(super) fn renew(&mut self, index: u64) {
        let later = self.renewed.entry(index).or_default();
        let serial = 9_000_000 + index * 100 + later.len() as u64;
        let (begin, end) = (self.now, self.now + 365 * DAY);
        for certificate in later.iter_mut() {
            certificate.status = 1;
        }
        later.push(Certificate { serial, status: 0, ecc: true, begin, end });
    }

    /// Returns the devices that are there, latest first.
    pub(super) fn live(&self) -> impl Iterator<Item = u64> + '_ {
        let all = (0..self.all.len() as u64).rev();
        all.filter(|index| !self.all[*index as usize].gone)
    }

    /// Returns the devices of some products that are there, latest first.
    pub(super) fn live_in(&self, products: &[String]) -> impl Iterator<Item = u64> + '_ {
        let wanted: Vec<bool> = self.products().map(|(key, _)| products.contains(&key)).collect();
        self.live().filter(move |index| wanted[usize::from(self.all[*index as usize].product)])
    }

    /// Returns whether the devices of a product show certificates, and its key, for each product.
    pub(super) fn products(&self) -> impl Iterator<Item = (String, bool)> + '_ {
        (0_u64..).zip(&self.products).map(|(index, mutual)| (self.product_key(index), *mutual))
    }

    fn product_key(&self, product: u64) -> String {
        word(mix(self.seed ^ 0xE05, product), 8)
    }

    /// Returns the key of a device's product.
    pub(super) fn product_of(&self, index: u64) -> String {
        self.product_key(u64::from(self.all[index as usize].product))
    }

    /// Returns the key of a device.
    pub(super) fn device_key(index: u64) -> String {
        if index % ODD_KEYS == 7 {
            format!("dev/键+{index:08} a")
        } else {
            format!("dev{index:08}")
        }
    }

    /// Returns the asset of a device.
    pub(super) fn asset(&self, index: u64) -> String {
        format!("a{:016x}", scramble(index, self.seed))
    }

    /// Returns the device that an asset is, if it is there.
    pub(super) fn by_asset(&self, asset: &str) -> Option<u64> {
        let digits = asset.strip_prefix('a')?;
        let index = unscramble(u64::from_str_radix(digits, 16).ok()?, self.seed);
        (self.is_there(index) && self.asset(index) == asset).then_some(index)
    }

    /// Returns the device that keys name, if it is there.
    pub(super) fn by_keys(&self, product: &str, device: &str) -> Option<u64> {
        let digits: String = device.chars().filter(char::is_ascii_digit).collect();
        let index: u64 = digits.parse().ok()?;
        let is_it = self.is_there(index)
            && self.product_of(index) == product
            && Self::device_key(index) == device;
        is_it.then_some(index)
    }

    fn is_there(&self, index: u64) -> bool {
        self.all.get(index as usize).is_some_and(|device| !device.gone)
    }

    /// Returns the certificates of a device: mostly one that is valid and some history.
    pub(super) fn certificates(&self, index: u64) -> Vec<Certificate> {
        if !self.products[usize::from(self.all[index as usize].product)] {
            return Vec::new();
        }
        let hash = mix(self.seed ^ 0xCE, index);
        let ecc = hash & 1 == 1;
        let end = self.now + DAY + (hash >> 16) as i64 % (700 * DAY);
        let make = |number: u64, status: u64, end: i64| Certificate {
            serial: 50_000 + index * 4 + number,
            status,
            ecc,
            begin: end - 730 * DAY,
            end,
        };
        let past = self.now - 3 * DAY;
        let mut all = match hash % 20 {
            0..=12 => vec![make(0, 0, end)],
            13 | 14 => vec![make(0, 1, end - 90 * DAY), make(1, 0, end)],
            15 => vec![make(0, 2, past), make(1, 1, end), make(2, 0, end + DAY)],
            // No certificate: the device has a token or a secret.
            16 => Vec::new(),
            17 => vec![make(0, 2, past)],
            // At most one should be valid.
            18 => vec![make(0, 0, end), make(1, 0, end + 30 * DAY)],
            // Said to be valid, and past its end.
            _ => vec![make(0, 0, past)],
        };
        if let Some(later) = self.renewed.get(&index) {
            for it in all.iter_mut().filter(|it| it.status == 0) {
                it.status = 1;
            }
            all.extend(later.iter().cloned());
        }
        all
    }

    /// Returns what an inventory should hold, one entry for each certificate.
    pub(super) fn truth(&self) -> Vec<Truth> {
        let mut all = Vec::new();
        for index in self.live() {
            for certificate in self.certificates(index) {
                all.push(self.truth_of(index, &certificate));
            }
        }
        all
    }

    fn truth_of(&self, index: u64, certificate: &Certificate) -> Truth {
        Truth {
            issuer: certificate.authority().to_owned(),
            serial: certificate.serial.to_string(),
            not_after: Some(certificate.end),
            said_not_after: Some(certificate.end),
            status: certificate.status.to_string(),
            holder: self.asset(index),
            common_name: Self::device_key(index),
            unit: self.product_of(index),
        }
    }

    /// Returns a product as a search does.
    pub(super) fn product_json(key: &str, mutual: bool) -> Value {
        json!({
            "productKey": key,
            "productSecret": POISON,
            "productName": {"defaultValue": format!("product {key}"), "i18nValue": {}},
            "productType": "Device",
            "modelId": "meter",
            "dataFormat": "JSON",
            "biDirectionalAuth": mutual,
            "certChainType": if mutual { "RSA" } else { "" },
        })
    }

    /// Returns a device as a search does without a projection: its secret is in it.
    pub(super) fn device_json(&self, index: u64) -> Value {
        let created = (self.now - 400 * DAY) * 1000 + index as i64;
        json!({
            "assetId": self.asset(index),
            "productKey": self.product_of(index),
            "deviceKey": Self::device_key(index),
            "deviceSecret": POISON,
            "deviceName": {"defaultValue": format!("meter {index}"), "i18nValue": {"en_US": ""}},
            "productType": "Device",
            "modelId": "meter",
            "status": if index.is_multiple_of(9) { "offline" } else { "online" },
            "timezone": "+08:00",
            "deviceTags": {},
            "createTime": created,
            "lastOnlineTime": if index.is_multiple_of(9) { Value::Null } else { json!(created) },
        })
    }
}
