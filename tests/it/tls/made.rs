//! Authorities and certificates that are made for a test.

use std::time::{Duration, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, date_time_ymd,
};
use simulator::clock::wall_seconds;

/// An authority.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// What a server of its certificates sends behind them.
    chain: Vec<String>,
}

/// What a server is to have.
#[derive(Clone)]
pub(crate) struct Leaf {
    pub(crate) names: Vec<String>,
    pub(crate) years: (i32, i32),
    /// Days since it expired, in place of the second year.
    pub(crate) expired: Option<u64>,
    pub(crate) key: Key,
}

#[derive(Clone, Copy)]
pub(crate) enum Key {
    P256,
    Ed25519,
    Rsa,
}

/// A certificate in PEM, its key, and what is sent behind it.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) leaf: String,
    pub(crate) key: String,
    pub(crate) chain: Vec<String>,
}

pub(crate) fn leaf(names: &[&str]) -> Leaf {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    Leaf { names, years: (2020, 2045), expired: None, key: Key::P256 }
}

impl Leaf {
    fn params(&self) -> CertificateParams {
        let mut params = CertificateParams::new(self.names.clone()).unwrap();
        params.distinguished_name.push(DnType::CommonName, self.names.join("+"));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.not_before = date_time_ymd(self.years.0, 1, 1);
        let ago = |days| Duration::from_secs(wall_seconds().unsigned_abs() - days * 86_400);
        params.not_after = self
            .expired
            .map_or(date_time_ymd(self.years.1, 1, 1), |days| (UNIX_EPOCH + ago(days)).into());
        params
    }

    pub(crate) fn self_signed(&self) -> Served {
        let key = self.key.make();
        let leaf = self.params().self_signed(&key).unwrap().pem();
        Served { leaf, key: key.serialize_pem(), chain: Vec::new() }
    }
}

impl Key {
    fn make(self) -> KeyPair {
        match self {
            Self::P256 => KeyPair::generate().unwrap(),
            // OpenSSL reads no key that has its public half beside it, as those have that are made here.
            Self::Ed25519 => KeyPair::from_pem(&super::openssl::key("ED25519")).unwrap(),
            Self::Rsa => KeyPair::from_pem(&super::openssl::key("RSA")).unwrap(),
        }
    }
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.use_authority_key_identifier_extension = true;
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2046, 1, 1);
    params
}

impl Authority {
    pub(crate) fn root(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::self_signed(params(name), key).unwrap();
        Self { issuer, chain: Vec::new() }
    }

    pub(crate) fn below(&self, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::signed_by(params(name), key, &self.issuer).unwrap();
        let chain = [vec![issuer.pem()], self.chain.clone()].concat();
        Self { issuer, chain }
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    pub(crate) fn key(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    pub(crate) fn sign(&self, leaf: &Leaf) -> Served {
        let key = leaf.key.make();
        let signed = leaf.params().signed_by(&key, &self.issuer).unwrap();
        Served { leaf: signed.pem(), key: key.serialize_pem(), chain: self.chain.clone() }
    }
}
