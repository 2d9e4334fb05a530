//! Certificates as they are written: PEM around, DER within, bundles in PKCS#7, and what a certificate says about itself.

use sha2::{Digest as _, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};
use xxhash_rust::xxh3::xxh3_64;

use crate::expiry::{Fingerprint, Kind, Timestamp};
pub use end::first_end_in_pem;

pub mod der;
mod end;
pub mod pem;
pub mod pkcs7;
mod text;

/// What a certificate says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The issuer's distinguished name.
    pub issuer: String,
    /// The subject's distinguished name.
    pub subject: String,
    /// The serial number in lower-case hex, with a minus sign where it is negative.
    pub serial: String,
    /// The subject's common name, or nothing.
    pub common_name: String,
    /// The subject's first organizational unit, or nothing.
    pub unit: String,
    /// The names and addresses it covers, DNS names first.
    pub names: Vec<String>,
    /// What it may be used for.
    pub kind: Kind,
    /// When it begins to be valid.
    pub not_before: Timestamp,
    /// When it ends.
    pub not_after: Timestamp,
    /// The SHA-256 of its DER.
    pub fingerprint: Fingerprint,
    /// What names its key, in hex: the subject key identifier, or what RFC 5280 §4.2.1.2 (1) makes of the key.
    pub key_id: String,
    /// What names the key that signed it, in hex, or nothing.
    pub authority_key_id: String,
}

/// Reads one certificate from the beginning of `der` and returns it with the bytes that follow.
pub fn facts(der: &[u8]) -> Result<(Facts, &[u8]), String> {
    let (rest, certificate) =
        X509Certificate::from_der(der).map_err(|error| format!("not a certificate: {error}"))?;
    let subject = certificate.subject();
    let whole = der.get(..der.len() - rest.len()).unwrap_or_default();
    let facts = Facts {
        issuer: distinguished_name(certificate.issuer()),
        subject: distinguished_name(subject),
        serial: serial(certificate.raw_serial()),
        common_name: first_text(subject.iter_common_name()),
        unit: first_text(subject.iter_organizational_unit()),
        names: names(&certificate),
        kind: kind(&certificate),
        not_before: Timestamp::from_seconds(certificate.validity().not_before.timestamp()),
        not_after: Timestamp::from_seconds(certificate.validity().not_after.timestamp()),
        fingerprint: Sha256::digest(whole).into(),
        key_id: key_id(&certificate),
        authority_key_id: authority_key_id(&certificate),
    };
    Ok((facts, rest))
}

#[cfg(test)]
/// Reads the first certificate of a PEM text.
pub fn first_in_pem(text: &str) -> Option<Facts> {
    match pem::blocks(text).next()? {
        pem::Block::Certificate(der) => facts(&der).ok().map(|(facts, _)| facts),
        _ => None,
    }
}

fn key_id(certificate: &X509Certificate<'_>) -> String {
    let stated = certificate.iter_extensions().find_map(|one| match one.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(id) => Some(hex::encode(id.0)),
        _ => None,
    });
    stated.unwrap_or_else(|| {
        let key = &certificate.public_key().subject_public_key.data;
        hex::encode(ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, key))
    })
}

fn authority_key_id(certificate: &X509Certificate<'_>) -> String {
    let stated = certificate.iter_extensions().find_map(|one| match one.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref(),
        _ => None,
    });
    stated.map(|id| hex::encode(id.0)).unwrap_or_default()
}

fn distinguished_name(name: &X509Name<'_>) -> String {
    name.to_string_with_registry(x509_parser::objects::oid_registry())
        // Names in character sets that the parser does not know still have to differ from each other.
        .unwrap_or_else(|_| format!("unreadable name {:016x}", xxh3_64(name.as_raw())))
}

fn first_text<'a>(mut found: impl Iterator<Item = &'a AttributeTypeAndValue<'a>>) -> String {
    found.find_map(|value| text::of(value.attr_value())).unwrap_or_default()
}

/// Writes the bytes of an ASN.1 integer as hex, without the zero byte that only marks it positive.
fn serial(raw: &[u8]) -> String {
    match raw {
        [] => String::new(),
        [0, magnitude @ ..] if !magnitude.is_empty() => hex::encode(magnitude),
        [first, ..] if first & 0x80 != 0 => format!("-{}", hex::encode(negated(raw))),
        _ => hex::encode(raw),
    }
}

fn negated(raw: &[u8]) -> Vec<u8> {
    let mut carry = true;
    let mut magnitude: Vec<u8> = raw
        .iter()
        .rev()
        .map(|byte| {
            let (sum, overflow) = (!byte).overflowing_add(u8::from(carry));
            carry = overflow;
            sum
        })
        .collect();
    magnitude.reverse();
    magnitude
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let general = &extension.value.general_names;
    let dns = general.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    });
    let others = general.iter().filter_map(|name| match name {
        GeneralName::RFC822Name(name) | GeneralName::URI(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes),
        _ => None,
    });
    dns.chain(others).collect()
}

fn address(bytes: &[u8]) -> Option<String> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(std::net::Ipv4Addr::from(v4).to_string());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|v6| std::net::Ipv6Addr::from(v6).to_string())
}

fn kind(certificate: &X509Certificate<'_>) -> Kind {
    if let Ok(Some(constraints)) = certificate.basic_constraints()
        && constraints.value.ca
    {
        return Kind::Ca;
    }
    match certificate.extended_key_usage() {
        Ok(Some(usage)) if usage.value.client_auth && !usage.value.server_auth => Kind::Client,
        _ => Kind::Server,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, DnType, DnValue, ExtendedKeyUsagePurpose, IsCa,
        KeyPair,
    };

    use super::*;

    fn params(names: &[&str]) -> CertificateParams {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = rcgen::date_time_ymd(2025, 1, 8);
        params.not_after = rcgen::date_time_ymd(2035, 1, 8);
        params.serial_number = Some(vec![0x0e, 0xef].into());
        params
    }

    fn made(params: &CertificateParams) -> Facts {
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let (from_der, rest) = facts(certificate.der()).unwrap();
        assert_eq!(rest, b"");
        assert_eq!(first_in_pem(&certificate.pem()), Some(from_der.clone()));
        from_der
    }

    #[test]
    fn reads_a_server_certificate() {
        let mut params = params(&["b.example", "a.example", "192.0.2.1"]);
        params.distinguished_name.push(DnType::CommonName, "设备 1");
        params.distinguished_name.push(DnType::OrganizationalUnitName, "plant-7");
        let facts = made(&params);
        assert_eq!(facts.serial, "0eef");
        assert_eq!((facts.common_name.as_str(), facts.unit.as_str()), ("设备 1", "plant-7"));
        assert_eq!(facts.names, ["b.example", "a.example", "192.0.2.1"]);
        assert_eq!(facts.kind, Kind::Server);
        assert_eq!(facts.not_before, Timestamp::from_seconds(1_736_294_400));
        assert_eq!(facts.not_after, Timestamp::from_seconds(2_051_827_200));
        assert!(facts.issuer.contains("设备 1"), "{}", facts.issuer);
    }

    #[test]
    fn names_in_old_character_sets_are_read() {
        use rcgen::string::{BmpString, TeletexString, UniversalString};
        let values = [
            DnValue::BmpString(BmpString::try_from("plant-7").unwrap()),
            DnValue::TeletexString(TeletexString::try_from("plant-7").unwrap()),
            DnValue::UniversalString(UniversalString::try_from("plant-7").unwrap()),
        ];
        for value in values {
            let mut params = params(&["a.example"]);
            params.distinguished_name.push(DnType::CommonName, value.clone());
            params.distinguished_name.push(DnType::OrganizationalUnitName, value);
            let facts = made(&params);
            assert_eq!((facts.common_name.as_str(), facts.unit.as_str()), ("plant-7", "plant-7"));
        }
    }

    #[test]
    fn tells_authorities_and_clients_apart() {
        let mut ca = params(&[]);
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        assert_eq!(made(&ca).kind, Kind::Ca);
        let mut client = params(&["c.example"]);
        client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        assert_eq!(made(&client).kind, Kind::Client);
        client.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        assert_eq!(made(&client).kind, Kind::Server);
    }

    #[test]
    fn serials() {
        for (raw, expected) in [
            (&[0x00_u8][..], "00"),
            (&[0x01], "01"),
            (&[0x00, 0xff], "ff"),
            (&[0xff], "-01"),
            (&[0x80, 0x00], "-8000"),
            (&[0x0e, 0xef], "0eef"),
            (&[], ""),
        ] {
            assert_eq!(serial(raw), expected, "{raw:?}");
        }
    }

    #[test]
    fn refuses_what_is_no_certificate() {
        assert!(facts(b"").is_err());
        assert!(facts(&[0x30, 0x82, 0xff, 0xff]).is_err());
        assert_eq!(first_in_pem("nothing"), None);
    }
}
