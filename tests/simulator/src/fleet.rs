//! What the simulated providers hold, described by a seed and a few numbers.

/// Everything the simulated providers hold.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// The same seed and numbers give the same certificates.
    pub seed: u64,
    /// The second that every time in the fleet is relative to.
    pub now: i64,
    /// MQTT instances.
    pub instances: Vec<Instance>,
    /// SSL certificates. The first 48 are the special cases, see `ssl/rows.rs`.
    pub ssl: u64,
    /// `EnOS` products, with their devices.
    pub products: Vec<Product>,
}

impl Fleet {
    /// Returns an empty fleet whose times are relative to `now`, in seconds since 1970.
    pub fn new(seed: u64, now: i64) -> Self {
        Self { seed, now, instances: Vec::new(), ssl: 0, products: Vec::new() }
    }

    /// Returns it with an MQTT instance that has a certificate per device.
    #[must_use]
    pub fn with_instance(self, id: &str, rows: u64) -> Self {
        self.with(Instance::new(id, rows))
    }

    /// Returns it with an MQTT instance.
    #[must_use]
    pub fn with(mut self, instance: Instance) -> Self {
        self.instances.push(instance);
        self
    }

    /// Returns it with SSL certificates.
    #[must_use]
    pub fn with_ssl(self, ssl: u64) -> Self {
        Self { ssl, ..self }
    }

    /// Returns it with an `EnOS` product; only with `mutual` TLS do its devices have certificates.
    #[must_use]
    pub fn with_product(mut self, devices: u64, mutual: bool) -> Self {
        self.products.push(Product { devices, mutual });
        self
    }
}

/// How an MQTT instance uses certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum X509Mode {
    /// The server shows one, devices do not.
    Tls,
    /// Devices show one that a CA of the instance signed.
    Mutual,
    /// One certificate per device: the only mode that has device certificates.
    Byoc,
}

impl X509Mode {
    /// Returns the provider's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tls => "TLS",
            Self::Mutual => "mTLS",
            Self::Byoc => "BYOC",
        }
    }
}

/// An MQTT instance.
#[derive(Clone, Debug)]
pub struct Instance {
    /// As in `mqtt-qgzaawn9`.
    pub id: String,
    /// Where it is.
    pub region: String,
    /// How it uses certificates.
    pub mode: X509Mode,
    /// Whether its edition knows nothing of certificates, so that asking is an error.
    pub basic: bool,
    /// Device certificates at the start.
    pub rows: u64,
    /// CA certificates. The second, if there is one, ends in 25 days.
    pub cas: u64,
    /// The ends of the first rows, in seconds from the fleet's `now`; spread evenly, not in order of creation.
    pub ends: (i64, i64),
    /// Whether some rows are inactive, revoked, pending, undated, or lack an optional field.
    pub mixed: bool,
    /// Every how many blocks all rows of the block end at one instant; 0: never.
    pub one_instant_every: u64,
    /// How its rows are written.
    pub data: Data,
}

/// How device certificates are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// All alike, as in the vendor's sample.
    Usual,
    /// In every way that JSON and the contract allow: escapes, blanks, other orders, fields that nobody knows, long names,
    /// numbers as floats, and one in a hundred without an end.
    Varied,
}

impl Data {
    /// Returns the set with a name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Usual, Self::Varied].into_iter().find(|data| data.as_str() == name)
    }

    /// Returns its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Usual => "usual",
            Self::Varied => "varied",
        }
    }
}

impl Instance {
    /// Returns an instance with a certificate per device.
    pub fn new(id: &str, rows: u64) -> Self {
        Self {
            id: id.to_owned(),
            region: "ap-guangzhou".to_owned(),
            mode: X509Mode::Byoc,
            basic: false,
            rows,
            cas: 3,
            ends: (-60 * DAY, 670 * DAY),
            mixed: true,
            one_instant_every: 16,
            data: Data::Usual,
        }
    }

    /// Returns an instance without device certificates.
    pub fn without_devices(id: &str, mode: X509Mode) -> Self {
        let cas = if mode == X509Mode::Mutual { 2 } else { 0 };
        Self { mode, cas, ..Self::new(id, 0) }
    }
}

/// An `EnOS` product.
#[derive(Clone, Debug)]
pub struct Product {
    /// Devices at the start.
    pub devices: u64,
    /// Whether its devices show certificates.
    pub mutual: bool,
}

/// Seconds in a day.
pub const DAY: i64 = 86_400;

/// A certificate as the provider really holds it, to compare an inventory with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Truth {
    /// MQTT: `CaSn` (of a CA: `CaIssuerCn`); SSL: empty; `EnOS`: `issueAuthority`.
    pub issuer: String,
    /// MQTT: `DeviceCertificateSn` (of a CA: `CaSn`); SSL: `CertificateId`; `EnOS`: `certSN`.
    pub serial: String,
    /// The end that can be known, in seconds since 1970: from the field, else from the certificate itself.
    pub not_after: Option<i64>,
    /// The end as the field says it.
    pub said_not_after: Option<i64>,
    /// The provider's own word or number.
    pub status: String,
    /// `ClientId`, main domain, or asset.
    pub holder: String,
    /// The common name.
    pub common_name: String,
    /// The organizational unit.
    pub unit: String,
}
