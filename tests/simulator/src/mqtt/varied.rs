//! Rows written in every way that JSON and the provider's contract allow: what reads only the usual rows fast, or only
//! them rightly, shows here.
//!
//! Forms are taken apart once, so that a row costs no more than a usual one: the benchmark shares its processors.

use super::row::{Row, write_hex, write_number};
use crate::certificate::{Escapes, Template};
use crate::random::mix;

/// What follows the digits in a `ClientId`, a `DeviceCertificateCn` and an `OrganizationalUnit`.
pub(super) const TAILS: [&str; 3] = [
    "/Halle \"Süd\" – 温度传感器 🌡 no. 7 \\ Linie 3 \\ Werk Ingolstadt-Nord",
    ".linie-03.fertigung.werk-nord.größe-7.温度传感器.iot.devices.plant.example.com",
    " · Abteilung Instandhaltung & Betriebsmittel / 设备管理部",
];

/// The forms: half of them have their texts escaped. `<end>` is a whole field, as it may be absent.
const FORMS: [(Write, Number, &str); 4] = [
    (
        Write::Plain,
        Number::Whole,
        r#""Tags":[{"Key":"站","Value":null},{"Key":"x","Value":["a",{"b":[[],-2.5e-3]}]}],<end>"NotBeforeTime":<begin>,"Status":"<status>","OrganizationalUnit":<unit>,"DeviceCertificateCn":<common_name>,"ClientId":<client>,"CaSn":<issuer>,"DeviceCertificateSn":<serial>,"DeviceCertificate":"<certificate>","CertificateSource":null,"LastActivationTime":null,"UpdateTime":1.5e3"#,
    ),
    (
        Write::Plain,
        Number::Float,
        "\n  \"ClientId\" : <client>,\n  \"DeviceCertificateSn\" : <serial>,\n  \"DeviceCertificateCn\" : <common_name>,\n  \"DeviceCertificate\" :\t\"<certificate>\",\r\n  \"CaSn\" : <issuer>,\n  \"OrganizationalUnit\" : <unit>,\n  \"Format\" : \"PEM\",\n  \"Status\" : \"<status>\",\n  <end>\n  \"NotBeforeTime\" : <begin>,\n  \"LastInactivationTime\" : -0,\n  \"Labels\" : { }\n",
    ),
    (
        Write::Names,
        Number::Exponent,
        r#""DeviceCertificate":"<certificate>","CaSn":<issuer>,"DeviceCertificateSn":<serial>,"DeviceCertificateCn":<common_name>,"ClientId":<client>,"OrganizationalUnit":<unit>,"Status":"<status>","Format":"P\u0045M","CertificateSource":"\u0041PI",<end>"NotBeforeTime":<begin>,"CreatedTime":null,"Hint":"a \"\\\" b\/c""#,
    ),
    (
        Write::Everything,
        Number::Exponent,
        r#""\u0053tatus":"<status>",<end>"DeviceCertificateSn":<serial>,"\u0043aSn":<issuer>,"DeviceCertificateCn":<common_name>,"DeviceCertificate":"<certificate>","\u0043lientId":<client>,"OrganizationalUnit":<unit>,"NotBeforeTime":null,"Extra":{"deep":[true,false,{"x":"\ud83c\udf21"}]}"#,
    ),
];

/// Which texts are written as escapes, character by character.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Write {
    Plain,
    Names,
    Everything,
}

/// How a time is written.
#[derive(Clone, Copy)]
enum Number {
    Whole,
    Float,
    Exponent,
}

/// A part of a form.
enum Part {
    Text(&'static [u8]),
    Client,
    CommonName,
    Unit,
    Serial,
    Issuer,
    Status,
    Certificate,
    Begin,
    End,
}

struct Form {
    write: Write,
    number: Number,
    parts: Vec<Part>,
    /// [`TAILS`] with the quotation mark after them.
    tails: [Vec<u8>; 3],
    template: Template,
}

/// The forms, ready to be filled in.
pub(super) struct Varied {
    forms: Vec<Form>,
}

impl Varied {
    pub(super) fn new(seed: u64) -> Self {
        let form = |(write, number, text): &(Write, Number, &'static str)| {
            let escapes = if *write == Write::Plain { Escapes::Slashes } else { Escapes::All };
            let tail =
                |text: &str| [escaped(text, *write != Write::Plain), b"\"".to_vec()].concat();
            Form {
                write: *write,
                number: *number,
                parts: parts(text),
                tails: TAILS.map(tail),
                template: Template::new(seed, super::row::COMMON_NAME, false, escapes),
            }
        };
        Self { forms: FORMS.iter().map(form).collect() }
    }

    /// Appends the fields of a row as JSON, without the braces around them.
    pub(super) fn write_fields(&self, row: &Row<'_>, out: &mut Vec<u8>) {
        let number = mix(row.seed ^ 0xF0, row.index) as usize % self.forms.len();
        self.forms[number].write_fields(row, out);
    }
}

impl Form {
    fn write_fields(&self, row: &Row<'_>, out: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Client => self.write_name(row, row.client_head().as_ref(), 0, out),
                Part::CommonName => self.write_name(row, row.common_name_head().as_ref(), 1, out),
                Part::Unit if row.names.is_none() && row.sparse => out.extend_from_slice(b"null"),
                Part::Unit => self.write_name(row, row.unit_head().as_bytes(), 2, out),
                Part::Serial => self.write_digits(&row.serial_bytes(), out),
                Part::Issuer => self.write_digits(&row.issuer_bytes(), out),
                Part::Status => out.extend_from_slice(row.status.as_str().as_bytes()),
                Part::Certificate => row.write_certificate(&self.template, out),
                Part::Begin => self.number.write(row.begin * 1000, out),
                Part::End => self.write_end(row, out),
            }
        }
    }

    /// Appends one of the names, from its digits on.
    fn write_name(&self, row: &Row<'_>, head: &[u8], which: usize, out: &mut Vec<u8>) {
        if let Some(names) = row.names {
            let name = [&names.client_id, &names.common_name, &names.unit][which];
            return serde_json::to_writer(out, name).expect("a vector takes every byte");
        }
        out.push(b'"');
        if self.write == Write::Plain {
            out.extend_from_slice(head);
        } else {
            for byte in head {
                write_escape(*byte, out);
            }
        }
        out.extend_from_slice(&self.tails[which]);
    }

    fn write_digits(&self, bytes: &[u8; 20], out: &mut Vec<u8>) {
        out.push(b'"');
        if self.write == Write::Everything {
            let mut digits = Vec::with_capacity(40);
            write_hex(bytes, &mut digits);
            for digit in &digits {
                write_escape(*digit, out);
            }
        } else {
            write_hex(bytes, out);
        }
        out.push(b'"');
    }

    /// Appends the field, unless it is absent.
    fn write_end(&self, row: &Row<'_>, out: &mut Vec<u8>) {
        let said = row.said_end();
        let value: &[u8] = match (said, row.index % 4) {
            (Some(_), _) => b"",
            (None, 0) => b"null",
            (None, 1) => b"0",
            (None, 2) => b"-0.0",
            (None, _) => return,
        };
        out.extend_from_slice(br#""NotAfterTime":"#);
        match said {
            Some(end) => self.number.write(end * 1000, out),
            None => out.extend_from_slice(value),
        }
        out.push(b',');
    }
}

impl Number {
    fn write(self, millis: i64, out: &mut Vec<u8>) {
        let from = out.len();
        write_number(millis, out);
        match self {
            Self::Whole => {}
            Self::Float => out.extend_from_slice(b".0"),
            Self::Exponent => {
                let digits = out.len() - from;
                out.insert(from + 1, b'.');
                out.extend_from_slice(b"E+");
                write_number(digits as i64 - 1, out);
            }
        }
    }
}

/// Takes a form apart.
fn parts(form: &'static str) -> Vec<Part> {
    let mut pieces = form.split('<');
    let mut parts = vec![Part::Text(pieces.next().unwrap_or_default().as_bytes())];
    for piece in pieces {
        let (name, text) = piece.split_once('>').expect("a form names its parts in <>");
        parts.push(match name {
            "client" => Part::Client,
            "common_name" => Part::CommonName,
            "unit" => Part::Unit,
            "serial" => Part::Serial,
            "issuer" => Part::Issuer,
            "status" => Part::Status,
            "certificate" => Part::Certificate,
            "begin" => Part::Begin,
            "end" => Part::End,
            other => unreachable!("no part is called {other}"),
        });
        parts.push(Part::Text(text.as_bytes()));
    }
    parts
}

/// Returns what stands between the quotation marks of a text.
fn escaped(text: &str, everything: bool) -> Vec<u8> {
    if everything {
        let units = text.encode_utf16().map(|unit| format!("\\u{unit:04x}"));
        return units.collect::<String>().into_bytes();
    }
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('/', "\\/").into_bytes()
}

fn write_escape(byte: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\\u00");
    write_hex(&[byte], out);
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::fleet::{Data, Fleet, Instance};
    use crate::mqtt::rows::Rows;

    const NOW: i64 = 1_763_827_200;

    #[test]
    fn every_form_is_json_that_says_the_truth() {
        let spec = Instance { data: Data::Varied, ..Instance::new("mqtt-test", 4000) };
        let rows = Rows::new(Fleet::new(1, NOW).seed, NOW, &spec);
        let varied = Varied::new(1);
        let mut undated = 0;
        for index in 0..rows.next_index() {
            let row = rows.row(index);
            let mut text = b"{".to_vec();
            varied.write_fields(&row, &mut text);
            text.push(b'}');
            let value: Value = serde_json::from_slice(&text).unwrap();
            let truth = row.truth();
            let said = value["NotAfterTime"].as_f64().map(|end| end as i64 / 1000);
            assert_eq!(said.filter(|end| *end != 0), truth.said_not_after);
            let names =
                ["CaSn", "DeviceCertificateSn", "Status", "ClientId", "DeviceCertificateCn"];
            let told = names.map(|name| value[name].as_str().unwrap());
            let holds =
                [&truth.issuer, &truth.serial, &truth.status, &truth.holder, &truth.common_name];
            assert_eq!(told, holds.map(String::as_str));
            assert_eq!(value["OrganizationalUnit"].as_str().unwrap_or_default(), truth.unit);
            let pem = value["DeviceCertificate"].as_str().unwrap();
            assert!(pem.starts_with("-----BEGIN CERTIFICATE-----\n"), "{pem}");
            assert!(
                (1200..1700).contains(&pem.len()) || truth.not_after.is_none(),
                "{}",
                pem.len()
            );
            undated += u64::from(truth.said_not_after.is_none());
        }
        assert!((30..=70).contains(&undated), "about one in a hundred, not {undated}");
    }
}
