//! A page in its usual shape, read without looking at what is not used.
//!
//! Two thirds of a page are certificates in PEM, which nobody asks for while a row says when it ends. This reader
//! jumps over them and reads only what the provider writes day by day: compact, flat rows, texts without escapes.
//! Anything else is for the general reader, which also finds the words for what is wrong.

use memchr::memchr;
use serde::de::IgnoredAny;

use super::rows::{List, Row};

/// A row whose texts are as they came.
pub(super) type UsualRow<'a> = Row<&'a [u8], IgnoredAny>;

/// Reads a page. `None` when it is not in its usual shape, which says nothing about whether it is good.
pub(super) fn list(body: &[u8]) -> Option<List<UsualRow<'_>>> {
    let mut reader = Reader { rest: body, unchecked: body };
    let mut found = None;
    reader.object(|reader, name| match name {
        b"Response" => once(&mut found, reader.response()?),
        _ => reader.skip(),
    })?;
    reader.check()?;
    reader.rest.is_empty().then_some(found)?
}

/// Reads JSON from the front of `rest`. Every answer is `None` where the text is not what is expected.
struct Reader<'a> {
    rest: &'a [u8],
    /// Begins where it is not yet known that no text has an escape: a quotation mark inside one is taken for its end
    /// until [`Reader::check`] finds the escape, which is many bytes at a step.
    unchecked: &'a [u8],
}

impl<'a> Reader<'a> {
    fn response(&mut self) -> Option<List<UsualRow<'a>>> {
        let (mut total, mut rows) = (None, None);
        self.object(|reader, name| match name {
            b"TotalCount" => once(&mut total, reader.number()?.unsigned_abs()),
            b"Data" => once(&mut rows, reader.rows()?),
            b"Error" => reader.null(),
            _ => reader.skip(),
        })?;
        Some(List { error: None, total_count: Some(total?), data: Some(rows?) })
    }

    fn rows(&mut self) -> Option<Vec<UsualRow<'a>>> {
        let mut rows = Vec::with_capacity(128);
        self.take(b'[')?;
        if self.take(b']').is_some() {
            return Some(rows);
        }
        loop {
            rows.push(self.row()?);
            if self.take(b',').is_none() {
                self.take(b']')?;
                return Some(rows);
            }
        }
    }

    fn row(&mut self) -> Option<UsualRow<'a>> {
        let [mut client, mut serial, mut name, mut issuer, mut unit, mut status] = [None; 6];
        let (mut begin, mut end, mut pem) = (None, None, None);
        self.object(|reader, field| match field {
            b"ClientId" => once(&mut client, reader.text()?),
            b"DeviceCertificateSn" => once(&mut serial, reader.text()?),
            b"DeviceCertificateCn" => once(&mut name, reader.text()?),
            b"CaSn" => once(&mut issuer, reader.text()?),
            b"OrganizationalUnit" => once(&mut unit, reader.text()?),
            b"Status" => once(&mut status, reader.text()?),
            b"DeviceCertificate" => once(&mut pem, reader.pem()?),
            b"NotBeforeTime" => once(&mut begin, reader.number_or_null()?),
            b"NotAfterTime" => once(&mut end, reader.number_or_null()?),
            _ => reader.skip(),
        })?;
        Some(Row {
            client_id: client.unwrap_or_default(),
            device_certificate_sn: serial.unwrap_or_default(),
            device_certificate_cn: name.unwrap_or_default(),
            ca_sn: issuer.unwrap_or_default(),
            organizational_unit: unit.unwrap_or_default(),
            status: status.unwrap_or_default(),
            not_before_time: begin.flatten(),
            not_after_time: end.flatten(),
            device_certificate: None,
        })
    }

    /// Reads an object, giving the name of each field to `read`, which takes the value.
    fn object(&mut self, mut read: impl FnMut(&mut Self, &'a [u8]) -> Option<()>) -> Option<()> {
        self.take(b'{')?;
        if self.take(b'}').is_some() {
            return Some(());
        }
        loop {
            let name = self.quoted()?;
            self.take(b':')?;
            read(self, name)?;
            if self.take(b',').is_none() {
                return self.take(b'}');
            }
        }
    }

    /// Reads a value that is not used: a string, a whole number or null.
    fn skip(&mut self) -> Option<()> {
        match self.rest.first()? {
            b'"' => self.quoted().map(|_| ()),
            b'0'..=b'9' => self.digits().map(|_| ()),
            _ => self.null(),
        }
    }

    /// Reads a string, or null, which is empty.
    fn text(&mut self) -> Option<&'a [u8]> {
        match self.rest.first()? {
            b'"' => self.quoted(),
            _ => self.null().map(|()| &[][..]),
        }
    }

    /// Reads a string up to the next quotation mark.
    fn quoted(&mut self) -> Option<&'a [u8]> {
        self.take(b'"')?;
        let (text, rest) = self.rest.split_at_checked(memchr(b'"', self.rest)?)?;
        self.rest = rest;
        self.take(b'"').map(|()| text)
    }

    /// Jumps over a string, whatever is in it: to the first quotation mark that is not escaped.
    fn pem(&mut self) -> Option<()> {
        if self.rest.first() != Some(&b'"') {
            return self.null();
        }
        self.check()?;
        self.take(b'"')?;
        loop {
            let (text, rest) = self.rest.split_at_checked(memchr(b'"', self.rest)?)?;
            self.rest = rest;
            self.take(b'"')?;
            let escapes = text.iter().rev().take_while(|byte| **byte == b'\\').count();
            if escapes.is_multiple_of(2) {
                self.unchecked = self.rest;
                return Some(());
            }
        }
    }

    /// Finds that what was read since the last check is text without escapes and control characters.
    fn check(&mut self) -> Option<()> {
        let length = self.unchecked.len() - self.rest.len();
        let read = self.unchecked.get(..length)?;
        self.unchecked = self.rest;
        let unusual = |byte: &u8| matches!(byte, ..b' ' | b'\\');
        // To the end, and not up to the first: without a way out, that is sixteen bytes at a step.
        let bad = read.iter().fold(false, |bad, byte| bad | unusual(byte));
        (!bad && (read.is_ascii() || std::str::from_utf8(read).is_ok())).then_some(())
    }

    #[expect(
        clippy::option_option,
        reason = "the outer says whether it could be read, the inner is null"
    )]
    fn number_or_null(&mut self) -> Option<Option<i64>> {
        match self.rest.first()? {
            b'0'..=b'9' => self.number().map(Some),
            _ => self.null().map(|()| None),
        }
    }

    /// Reads a whole number that is not negative.
    fn number(&mut self) -> Option<i64> {
        let digits = self.digits()?;
        let next = |number: i64, digit: &u8| {
            number.wrapping_mul(10).wrapping_add(i64::from(digit.wrapping_sub(b'0')))
        };
        // More than 18 digits may not fit.
        (digits.len() <= 18).then(|| digits.iter().fold(0, next))
    }

    fn digits(&mut self) -> Option<&'a [u8]> {
        let digits = self.rest.iter().position(|byte| !byte.is_ascii_digit())?;
        let (digits, rest) = self.rest.split_at_checked(digits)?;
        self.rest = rest;
        matches!(digits, [b'0'] | [b'1'..=b'9', ..]).then_some(digits)
    }

    fn null(&mut self) -> Option<()> {
        self.rest = self.rest.strip_prefix(b"null")?;
        Some(())
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        let (first, rest) = self.rest.split_first()?;
        (*first == byte).then(|| self.rest = rest)
    }
}

/// Keeps a value; a field that is there twice is not usual.
fn once<T>(slot: &mut Option<T>, value: T) -> Option<()> {
    slot.replace(value).is_none().then_some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::client::tencent::{Text, decode};

    fn fixture() -> Vec<u8> {
        let path = "/tests/fixtures/tencent-mqtt/DescribeDeviceCertificates.json";
        let text = std::fs::read(format!("{}{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        // As the provider sends it: without the blanks of the documentation.
        serde_json::to_vec(&serde_json::from_slice::<Value>(&text).unwrap()).unwrap()
    }

    /// What a reader found: the total and of each row the texts and the times.
    type Told = (Option<u64>, Option<Vec<([Vec<u8>; 6], [Option<i64>; 2])>>);

    fn told<T: AsRef<[u8]>>(list: List<Row<T, IgnoredAny>>) -> Told {
        let row = |row: Row<T, IgnoredAny>| {
            let texts = [
                row.client_id,
                row.device_certificate_sn,
                row.device_certificate_cn,
                row.ca_sn,
                row.organizational_unit,
                row.status,
            ];
            (texts.map(|text| text.as_ref().to_vec()), [row.not_before_time, row.not_after_time])
        };
        (list.total_count, list.data.map(|rows| rows.into_iter().map(row).collect()))
    }

    fn usual(body: &[u8]) -> Option<Told> {
        list(body).map(told)
    }

    /// What the general reader says, which is the truth.
    fn general(body: &[u8]) -> Option<Told> {
        decode::<List<Row<Text<'_>, IgnoredAny>>>(body).ok().map(told)
    }

    fn text() -> impl Strategy<Value = Value> {
        prop_oneof![
            8 => "[a-z0-9-]{0,12}".prop_map(Value::from),
            2 => "[\\PC\n\"\\\\]{0,8}".prop_map(Value::from),
            1 => Just(Value::Null),
        ]
    }

    fn number() -> impl Strategy<Value = Value> {
        prop_oneof![
            8 => (0_i64..=2_000_000_000_000).prop_map(Value::from),
            1 => any::<i64>().prop_map(Value::from),
            1 => any::<u64>().prop_map(Value::from),
            1 => Just(Value::Null),
            1 => any::<f64>().prop_map(Value::from),
        ]
    }

    /// A row with most of its fields, and now and then with one that nobody expects.
    fn row() -> impl Strategy<Value = Value> {
        let texts = proptest::collection::vec(proptest::option::weighted(0.9, text()), 8);
        let numbers = proptest::collection::vec(proptest::option::weighted(0.9, number()), 3);
        let odd = prop_oneof![
            20 => Just(None),
            1 => Just(Some(json!({"deep": ["a", {"b": null}]}))),
            1 => Just(Some(json!(true))),
        ];
        (texts, numbers, odd).prop_map(|(texts, numbers, odd)| {
            let names = [
                "ClientId",
                "DeviceCertificateSn",
                "DeviceCertificateCn",
                "DeviceCertificate",
                "CaSn",
                "OrganizationalUnit",
                "Status",
                "Format",
            ];
            let mut row = serde_json::Map::new();
            let texts = names.iter().zip(texts);
            let numbers = ["NotBeforeTime", "NotAfterTime", "CreatedTime"].iter().zip(numbers);
            for (name, value) in texts.chain(numbers) {
                row.extend(value.map(|value| ((*name).to_owned(), value)));
            }
            row.extend(odd.map(|value| ("Unknown".to_owned(), value)));
            Value::Object(row)
        })
    }

    proptest! {
        #![proptest_config(crate::property::config())]

        #[test]
        fn what_it_reads_is_what_the_general_reader_reads(
            rows in proptest::collection::vec(row(), 0..4),
            total in number(),
            error in prop_oneof![9 => Just(json!(null)), 1 => Just(json!({"Code": "X"}))],
        ) {
            let reply = json!({"Data": rows, "Error": error, "RequestId": "r", "TotalCount": total});
            let body = json!({"Error": null, "RequestId": null, "Response": reply}).to_string();
            if let Some(told) = usual(body.as_bytes()) {
                prop_assert_eq!(Some(told), general(body.as_bytes()));
            }
        }

        #[test]
        fn a_body_that_was_changed_is_read_alike_or_not_at_all(
            place in any::<prop::sample::Index>(), byte in any::<u8>()
        ) {
            let mut body = fixture();
            // What is jumped over may be anything.
            let pem = body.windows(5).position(|five| five == b"-----").unwrap();
            let place = place.index(pem);
            body[place] = byte;
            if let Some(told) = usual(&body) {
                prop_assert_eq!(Some(told), general(&body));
            }
        }
    }

    #[test]
    fn the_usual_page_is_read_and_no_part_of_one() {
        let body = fixture();
        assert!(usual(&body).is_some());
        assert_eq!(usual(&body), general(&body));
        for length in 0..body.len() {
            assert_eq!(usual(&body[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn what_is_unusual_is_left_to_the_general_reader() {
        let page =
            r#"{"Response":{"TotalCount":1,"Data":[{"CaSn":"a","DeviceCertificate":"a\\\"b"}]}}"#;
        assert!(usual(page.as_bytes()).is_some());
        for (from, to) in [
            (":1,", ": 1,"),
            (":1,", ":01,"),
            (":1,", ":1.0,"),
            (":1,", ":-1,"),
            (":1,", ":18446744073709551616,"),
            (r#""a","#, r#""\u0061","#),
            (r#""a","#, r#""a\"","#),
            (r#""a","#, "\"a\t\","),
            (r#""a","#, "7,"),
            (r#""a","#, r#""a","CaSn":"a","#),
            (r#""Data""#, r#""Error":{},"Data""#),
            (r#""DeviceCertificate":"a"#, r#""Format":{"b":1},"x":"a"#),
            (r#""DeviceCertificate":"a"#, r#""Format":"a"#),
            ("}}", "}}x"),
        ] {
            let body = page.replacen(from, to, 1);
            assert_ne!(body, page);
            assert_eq!(usual(body.as_bytes()), None, "{body}");
        }
    }
}
