//! One device certificate: what its index makes of it, and how it is written.

use super::varied::TAILS;
use crate::certificate::{Facts, Template};
use crate::fleet::{Data, Truth};
use crate::random::{mix, scramble, unscramble};

/// The state of a device certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Active,
    Inactive,
    Revoked,
    PendingActivation,
}

impl Status {
    /// Returns the status of a row that nobody changed.
    pub fn made(hash: u8) -> Self {
        match hash {
            0..=7 => Self::Inactive,
            8..=11 => Self::Revoked,
            12..=15 => Self::PendingActivation,
            _ => Self::Active,
        }
    }

    /// Returns the provider's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
            Self::Revoked => "REVOKED",
            Self::PendingActivation => "PENDING_ACTIVATION",
        }
    }
}

/// Names given to a row by a test, hostile ones for example.
#[derive(Clone, Debug)]
pub struct Names {
    pub client_id: String,
    pub common_name: String,
    pub unit: String,
}

/// How the end is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Write {
    /// As a number, and in the certificate.
    Plain,
    /// As null; the certificate knows it.
    Null,
    /// As 0, with a certificate that holds nothing, as in the vendor's own sample.
    Zero,
    /// Not at all, with a certificate that holds nothing.
    Absent,
}

impl Write {
    /// Returns how the end of a row is written that is undated with a number, or is not.
    pub(super) fn of(data: Data, undated: Option<u64>) -> Self {
        match undated {
            // Mostly the certificate knows it: varied rows choose themselves how they leave it out.
            Some(undated) if data == Data::Varied && undated % 4 != 3 => Self::Null,
            None => Self::Plain,
            Some(0) => Self::Null,
            Some(1) => Self::Zero,
            Some(_) => Self::Absent,
        }
    }
}

/// A device certificate. Times are seconds, but for `created` and `updated`, which are milliseconds.
pub(super) struct Row<'a> {
    pub seed: u64,
    pub index: u64,
    pub client: u64,
    pub status: Status,
    pub ca: u64,
    pub unit: u64,
    pub created: i64,
    pub updated: i64,
    pub begin: i64,
    pub end: i64,
    pub write: Write,
    pub names: Option<&'a Names>,
    /// Whether the fields are null that the schema lets be null.
    pub sparse: bool,
    pub data: Data,
}

const CLIENT: &str = "dev-000000000000";
/// The common name that every row's is as long as.
pub(super) const COMMON_NAME: &str = "d000000000000.plant.example.com";

impl Row<'_> {
    /// Returns the index that a serial may belong to.
    pub(super) fn index_of(seed: u64, serial: &str) -> Option<u64> {
        let tail = serial.get(24..40).filter(|_| serial.len() == 40)?;
        u64::from_str_radix(tail, 16).ok().map(|tail| unscramble(tail, seed))
    }

    /// Returns the client that a client id or a common name may belong to.
    pub(super) fn client_of(name: &str) -> Option<u64> {
        let digits = name.strip_prefix("dev-").or_else(|| name.strip_prefix('d'))?;
        digits.get(..12)?.parse().ok()
    }

    /// Returns the serial of a CA.
    pub(super) fn ca_serial(seed: u64, ca: u64) -> String {
        hex::encode(serial(seed ^ 0xCA, ca))
    }

    /// Returns `DeviceCertificateSn`.
    pub(super) fn serial_text(&self) -> String {
        hex::encode(self.serial_bytes())
    }

    /// Returns `ClientId`.
    pub(super) fn client_text(&self) -> String {
        let made = || self.name(&self.client_head(), 0);
        self.names.map_or_else(made, |names| names.client_id.clone())
    }

    /// Returns `DeviceCertificateCn`.
    pub(super) fn common_name_text(&self) -> String {
        let made = || self.name(&self.common_name_head(), 1);
        self.names.map_or_else(made, |names| names.common_name.clone())
    }

    /// Returns `OrganizationalUnit`; empty when it is null.
    pub(super) fn unit_text(&self) -> String {
        match self.names {
            Some(names) => names.unit.clone(),
            None if self.sparse => String::new(),
            None => self.name(self.unit_head().as_bytes(), 2),
        }
    }

    /// Returns a name that nobody changed, from its beginning.
    fn name(&self, head: &[u8], which: usize) -> String {
        let tail = if self.data == Data::Varied { TAILS[which] } else { "" };
        text(head) + tail
    }

    /// Returns the end as the field says it.
    pub(super) fn said_end(&self) -> Option<i64> {
        (self.write == Write::Plain).then_some(self.end)
    }

    /// Returns what an inventory should hold of it.
    pub(super) fn truth(&self) -> Truth {
        let said = self.said_end();
        let in_certificate = self.write == Write::Null;
        Truth {
            issuer: Self::ca_serial(self.seed, self.ca),
            serial: self.serial_text(),
            not_after: said.or(in_certificate.then_some(self.end)),
            said_not_after: said,
            status: self.status.as_str().to_owned(),
            holder: self.client_text(),
            common_name: self.common_name_text(),
            unit: self.unit_text(),
        }
    }

    /// Appends the fields as JSON, without the braces around them, in the order of the vendor's sample.
    pub(super) fn write_fields(&self, template: &Template, out: &mut Vec<u8>) {
        self.write_names(out);
        out.extend_from_slice(br#","DeviceCertificate":""#);
        self.write_certificate(template, out);
        out.extend_from_slice(br#"","CaSn":""#);
        write_hex(&self.issuer_bytes(), out);
        out.extend_from_slice(br#"","OrganizationalUnit":"#);
        match self.names {
            Some(names) => write_text(&names.unit, out),
            None if self.sparse => out.extend_from_slice(b"null"),
            None => write_quoted(self.unit_head().as_bytes(), out),
        }
        out.extend_from_slice(br#","Format":"PEM","Status":""#);
        out.extend_from_slice(self.status.as_str().as_bytes());
        let source: &[u8] = if self.sparse { b"null" } else { b"\"API\"" };
        out.extend_from_slice(br#"","CertificateSource":"#);
        out.extend_from_slice(source);
        self.write_times(out);
    }

    fn write_names(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#""ClientId":"#);
        match self.names {
            Some(names) => write_text(&names.client_id, out),
            None => write_quoted(&self.client_head(), out),
        }
        out.extend_from_slice(br#","DeviceCertificateSn":""#);
        write_hex(&self.serial_bytes(), out);
        out.extend_from_slice(br#"","DeviceCertificateCn":"#);
        match self.names {
            Some(names) => write_text(&names.common_name, out),
            None => write_quoted(&self.common_name_head(), out),
        }
    }

    /// Appends the PEM as JSON, without quotation marks.
    pub(super) fn write_certificate(&self, template: &Template, out: &mut Vec<u8>) {
        if matches!(self.write, Write::Zero | Write::Absent) {
            out.extend_from_slice(b"-----BEGIN CERTIFICATE-----\\n-----END CERTIFICATE-----\\n");
            return;
        }
        let facts = Facts {
            serial: &self.serial_bytes(),
            ca: self.ca,
            begin: self.begin,
            end: self.end,
            common_name: &self.certified_name(),
        };
        template.write_json(out, &facts);
    }

    fn write_times(&self, out: &mut Vec<u8>) {
        let switched_off = if self.status == Status::Inactive { self.updated } else { 0 };
        for (name, value) in [
            (&br#","LastActivationTime":"#[..], self.created),
            (br#","LastInactivationTime":"#, switched_off),
            (br#","CreatedTime":"#, self.created),
            (br#","UpdateTime":"#, self.updated),
            (br#","NotBeforeTime":"#, self.begin * 1000),
        ] {
            out.extend_from_slice(name);
            write_number(value, out);
        }
        let name: &[u8] = br#","NotAfterTime":"#;
        match self.write {
            Write::Absent => {}
            Write::Null => out.extend_from_slice(&[name, b"null"].concat()),
            Write::Zero => out.extend_from_slice(&[name, b"0"].concat()),
            Write::Plain => {
                out.extend_from_slice(name);
                write_number(self.end * 1000, out);
            }
        }
    }

    pub(super) fn serial_bytes(&self) -> [u8; 20] {
        serial(self.seed, self.index)
    }

    pub(super) fn issuer_bytes(&self) -> [u8; 20] {
        serial(self.seed ^ 0xCA, self.ca)
    }

    /// Returns the beginning of `ClientId`, with the client's number in it.
    pub(super) fn client_head(&self) -> [u8; CLIENT.len()] {
        let mut bytes = [0; CLIENT.len()];
        bytes.copy_from_slice(CLIENT.as_bytes());
        write_digits(self.client, &mut bytes[4..16]);
        bytes
    }

    /// Returns the beginning of `DeviceCertificateCn`.
    pub(super) fn common_name_head(&self) -> Vec<u8> {
        let name = self.certified_name();
        let length = if self.data == Data::Varied { 13 } else { name.len() };
        name[..length].to_vec()
    }

    /// Returns the beginning of `OrganizationalUnit`.
    pub(super) fn unit_head(&self) -> String {
        format!("plant-{}", self.unit)
    }

    /// Returns the common name in the certificate itself.
    fn certified_name(&self) -> [u8; COMMON_NAME.len()] {
        let mut bytes = [0; COMMON_NAME.len()];
        bytes.copy_from_slice(COMMON_NAME.as_bytes());
        write_digits(self.client, &mut bytes[1..13]);
        bytes
    }
}

/// 20 bytes, positive as an integer, that carry the index; some begin with a zero digit, as in the vendor's sample.
fn serial(seed: u64, index: u64) -> [u8; 20] {
    let mut bytes = [0; 20];
    bytes[..8].copy_from_slice(&mix(seed, index).to_be_bytes());
    bytes[8..12].copy_from_slice(&(mix(seed ^ 0x5E, index) as u32).to_be_bytes());
    bytes[12..].copy_from_slice(&scramble(index, seed).to_be_bytes());
    bytes[0] = (bytes[0] & 0x7F).max(1);
    bytes
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn write_digits(mut value: u64, out: &mut [u8]) {
    for digit in out.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// Appends bytes as hexadecimal digits.
pub(super) fn write_hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

/// Appends a number in decimal.
pub(super) fn write_number(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn write_quoted(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(bytes);
    out.push(b'"');
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("a vector takes every byte");
}
