//! X.509 certificates made from a template: one is encoded once, and its serial, validity and names are patched
//! for each row, so that a parser accepts every one of millions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::clock::utc_time;
use super::random::mix;

/// Characters of base64 in a line, and the bytes they stand for.
const LINE: usize = 64;
const LINE_BYTES: usize = 48;
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";
/// Bytes of the head of a certificate that hold everything that is patched.
const HEAD: usize = 5 * LINE_BYTES;

/// How PEM is escaped in a JSON text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escapes {
    /// As short as can be.
    Few,
    /// Slashes too, where they are the same in every certificate.
    Slashes,
    /// The same, and the ends of lines by their number.
    All,
}

impl Escapes {
    const fn line_end(self) -> &'static str {
        match self {
            Self::Few | Self::Slashes => "\\n",
            Self::All => "\\u000A",
        }
    }
}

/// What differs between the certificates of one template.
pub(crate) struct Facts<'a> {
    /// The serial, positive and 20 bytes long.
    pub serial: &'a [u8; 20],
    /// Which CA signed it, below 100.
    pub ca: u64,
    /// When it begins, in seconds since 1970, before 2050.
    pub begin: i64,
    /// When it ends, in seconds since 1970, before 2050.
    pub end: i64,
    /// The common name, as long as the template's.
    pub common_name: &'a [u8],
}

/// A certificate in DER and in PEM as JSON text, ready to be patched.
pub(crate) struct Template {
    head: [u8; HEAD],
    text: Vec<u8>,
    /// Bytes of the end of a line.
    line_end: usize,
    serial: usize,
    issuer: usize,
    begin: usize,
    end: usize,
    common_name: usize,
}

impl Template {
    /// Returns a template for common names as long as `common_name`.
    pub(crate) fn new(seed: u64, common_name: &str, is_ca: bool, escapes: Escapes) -> Self {
        let serial = [0x5A_u8; 20];
        let der = certificate(seed, &serial, common_name, is_ca);
        let find = |needle: &[u8], from: usize| {
            let at = der[from..].windows(needle.len()).position(|window| window == needle);
            from + at.expect("the template holds what it was made of")
        };
        let serial = find(&serial, 0);
        let issuer = find(ISSUER.as_bytes(), serial) + ISSUER.len() - 2;
        let begin = find(b"200101000000Z", issuer);
        let end = find(b"210101000000Z", begin);
        let common_name_at = find(common_name.as_bytes(), end);
        assert!(common_name_at + common_name.len() <= HEAD, "the head holds what is patched");
        let mut head = [0; HEAD];
        head.copy_from_slice(&der[..HEAD]);
        let text = json_pem(&der, escapes).into_bytes();
        let line_end = escapes.line_end().len();
        Self { head, text, line_end, serial, issuer, begin, end, common_name: common_name_at }
    }

    /// Appends the PEM text of a certificate, escaped for a JSON string.
    pub(crate) fn write_json(&self, out: &mut Vec<u8>, facts: &Facts<'_>) {
        let mut head = self.head;
        head[self.serial..self.serial + 20].copy_from_slice(facts.serial);
        head[self.issuer] = b'0' + (facts.ca / 10 % 10) as u8;
        head[self.issuer + 1] = b'0' + (facts.ca % 10) as u8;
        head[self.begin..self.begin + 13].copy_from_slice(&utc_time(facts.begin));
        head[self.end..self.end + 13].copy_from_slice(&utc_time(facts.end));
        let name = self.common_name..self.common_name + facts.common_name.len();
        head[name].copy_from_slice(facts.common_name);
        let start = out.len() + BEGIN.len() + self.line_end;
        out.extend_from_slice(&self.text);
        for (line, bytes) in head.chunks_exact(LINE_BYTES).enumerate() {
            let at = start + line * (LINE + self.line_end);
            encode_line(bytes, &mut out[at..at + LINE]);
        }
    }
}

/// Returns the common name of the CA with a number, as its leaves name it.
pub(crate) fn ca_name(ca: u64) -> String {
    format!("Device CA {ca:02}")
}

const ISSUER: &str = "Device CA 00";

fn encode_line(bytes: &[u8], out: &mut [u8]) {
    const TABLE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (three, four) in bytes.chunks_exact(3).zip(out.chunks_exact_mut(4)) {
        let word = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
        four[0] = TABLE[(word >> 18 & 63) as usize];
        four[1] = TABLE[(word >> 12 & 63) as usize];
        four[2] = TABLE[(word >> 6 & 63) as usize];
        four[3] = TABLE[(word & 63) as usize];
    }
}

fn json_pem(der: &[u8], escapes: Escapes) -> String {
    let mut lines = vec![BEGIN.to_owned()];
    lines.extend(der.chunks(LINE_BYTES).map(|line| STANDARD.encode(line)));
    lines.push(END.to_owned());
    if escapes != Escapes::Few {
        // The lines of the head are written anew for each certificate, over as many characters.
        let same = lines.iter_mut().skip(1 + HEAD / LINE_BYTES);
        same.for_each(|line| *line = line.replace('/', "\\/"));
    }
    lines.iter().map(|line| line.clone() + escapes.line_end()).collect()
}

/// A certificate with an RSA-2048 key and the extensions that a device certificate usually has. The key and the
/// signature are noise: nothing that reads inventories checks them.
fn certificate(seed: u64, serial: &[u8], common_name: &str, is_ca: bool) -> Vec<u8> {
    let sha256_rsa =
        sequence(&[oid(&[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0B]), null()]);
    let rsa = sequence(&[oid(&[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01]), null()]);
    let mut modulus = noise(seed, 257);
    modulus[0] = 0;
    modulus[1] |= 0x80;
    modulus[256] |= 1;
    let key = sequence(&[tlv(0x02, &modulus), tlv(0x02, &[1, 0, 1])]);
    let validity = sequence(&[tlv(0x17, b"200101000000Z"), tlv(0x17, b"210101000000Z")]);
    let to_be_signed = sequence(&[
        tlv(0xA0, &tlv(0x02, &[2])),
        tlv(0x02, serial),
        sha256_rsa.clone(),
        sequence(&[name_part(0x0A, "Example Devices"), name_part(0x03, ISSUER)]),
        validity,
        sequence(&[name_part(0x03, common_name), name_part(0x0B, "plant")]),
        sequence(&[rsa, bit_string(&key)]),
        tlv(0xA3, &sequence(&extensions(seed, is_ca))),
    ]);
    sequence(&[to_be_signed, sha256_rsa, bit_string(&noise(seed + 1, 256))])
}

fn extensions(seed: u64, is_ca: bool) -> Vec<Vec<u8>> {
    let constraints = if is_ca { sequence(&[tlv(0x01, &[0xFF])]) } else { sequence(&[]) };
    let usage = if is_ca { [1, 0x06] } else { [5, 0xA0] };
    let authority = sequence(&[tlv(0x80, &noise(seed + 3, 20))]);
    let location = sequence(&[sequence(&[
        oid(&[0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01]),
        tlv(0x86, b"http://ocsp.devices.example.com/status"),
    ])]);
    let crl = tlv(0x86, b"http://crl.devices.example.com/devices.crl");
    let points = sequence(&[sequence(&[tlv(0xA0, &tlv(0xA0, &crl))])]);
    vec![
        extension(&[0x55, 0x1D, 0x13], &constraints),
        extension(&[0x55, 0x1D, 0x0F], &tlv(0x03, &usage)),
        extension(
            &[0x55, 0x1D, 0x25],
            &sequence(&[oid(&[0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02])]),
        ),
        extension(&[0x55, 0x1D, 0x0E], &tlv(0x04, &noise(seed + 2, 20))),
        extension(&[0x55, 0x1D, 0x23], &authority),
        extension(&[0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x01], &location),
        extension(&[0x55, 0x1D, 0x1F], &points),
    ]
}

fn extension(id: &[u8], value: &[u8]) -> Vec<u8> {
    sequence(&[oid(id), tlv(0x04, value)])
}

fn name_part(last_of_oid: u8, text: &str) -> Vec<u8> {
    let pair = sequence(&[oid(&[0x55, 0x04, last_of_oid]), tlv(0x0C, text.as_bytes())]);
    tlv(0x31, &pair)
}

fn oid(bytes: &[u8]) -> Vec<u8> {
    tlv(0x06, bytes)
}

fn null() -> Vec<u8> {
    vec![0x05, 0]
}

fn bit_string(bytes: &[u8]) -> Vec<u8> {
    tlv(0x03, &[&[0], bytes].concat())
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match value.len() {
        short @ 0..=127 => out.push(short as u8),
        middle @ 128..=255 => out.extend([0x81, middle as u8]),
        long => out.extend([0x82, (long >> 8) as u8, long as u8]),
    }
    out.extend_from_slice(value);
    out
}

fn noise(seed: u64, length: usize) -> Vec<u8> {
    (0..length as u64).map(|index| mix(seed, index) as u8).collect()
}
