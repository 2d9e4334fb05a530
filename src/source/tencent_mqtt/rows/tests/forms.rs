//! Every way in which a page can be written, held against serde.

use super::*;

/// What a page says: the total, and of each row the texts and the times; `None` for a row that is not understood.
type Told = (Option<u64>, Option<Vec<Option<([String; 6], [Option<i64>; 2])>>>);

fn told(body: &[u8]) -> Option<Told> {
    let row = |row: &Row<'_>| {
        let texts =
            [row.client(), row.serial(), row.common_name(), row.issuer(), row.unit(), row.status()];
        let times = [row.not_before_time.flatten(), row.not_after_time.flatten()];
        Some((!row.bad).then_some((utf8(texts)?, times)))
    };
    let list = List::read(body)?;
    let rows = list.rows.map(|rows| rows.iter().map(row).collect::<Option<_>>());
    Some((list.total, if let Some(rows) = rows { Some(rows?) } else { None }))
}

fn utf8(texts: [&[u8]; 6]) -> Option<[String; 6]> {
    let texts = texts.map(|text| std::str::from_utf8(text).map(str::to_owned));
    texts.iter().all(Result::is_ok).then(|| texts.map(Result::unwrap))
}

/// What serde says, which is the truth.
mod by_serde {
    use serde::Deserialize;
    use serde::de::IgnoredAny;
    use serde_json::value::RawValue;

    use super::Told;
    use crate::client::tencent::{Text, Whole};

    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(rename = "Response", borrow)]
        response: List<'a>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct List<'a> {
        error: Option<IgnoredAny>,
        total_count: Option<Whole>,
        #[serde(borrow)]
        data: Option<Vec<&'a RawValue>>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase", default)]
    #[derive(Default)]
    struct Row<'a> {
        #[serde(borrow)]
        client_id: Text<'a>,
        device_certificate_sn: Text<'a>,
        device_certificate_cn: Text<'a>,
        ca_sn: Text<'a>,
        organizational_unit: Text<'a>,
        status: Text<'a>,
        not_before_time: Option<Whole>,
        not_after_time: Option<Whole>,
        #[serde(rename = "DeviceCertificate")]
        _device_certificate: Option<IgnoredAny>,
    }

    pub(super) fn told(body: &[u8]) -> Option<Told> {
        let list = serde_json::from_slice::<Envelope<'_>>(body).ok()?.response;
        if list.error.is_some() {
            return None;
        }
        let total = list.total_count.map(|total| u64::try_from(total.0)).transpose().ok()?;
        let row = |raw: &&RawValue| {
            if !raw.get().starts_with('{') {
                return None;
            }
            let row = serde_json::from_str::<Row<'_>>(raw.get()).ok()?;
            let texts = [
                row.client_id,
                row.device_certificate_sn,
                row.device_certificate_cn,
                row.ca_sn,
                row.organizational_unit,
                row.status,
            ];
            let times = [row.not_before_time, row.not_after_time];
            Some((texts.map(|text| text.0.into_owned()), times.map(|time| Some(time?.0))))
        };
        Some((total, list.data.map(|rows| rows.iter().map(row).collect())))
    }
}

/// Values that may stand where a number is expected, legal or not.
const NUMBERS: [&str; 26] = [
    "0",
    "-0",
    "-0.0",
    "null",
    "1766073600000",
    "1766073600000.0",
    "1.7660736E12",
    "1.7660736e+12",
    "17660736e5",
    "17660736000000E-1",
    "1766073600000.5",
    "-1",
    "1e400",
    "999999999999999999",
    "9223372036854775807",
    "9223372036854775808",
    "9007199254740992.0",
    "123456789012345678901234567890",
    "01",
    "1.",
    "+1",
    ".5",
    "1e",
    "true",
    "\"1\"",
    "{\"a\": [1, {}]}",
];

const BLANKS: [&str; 5] = ["", "", " ", "\n", "\r\t "];

/// Values that may stand where a text is expected: some of another type, some with half a character in them.
const ODD: [&str; 7] =
    ["null", "7", "\"\\ud83d\"", "\"\\ude00x\"", "\"\\ud83dx\"", "\"\\ud83d\\u0041\"", "[]"];

const USED: [&str; 6] = [
    "ClientId",
    "DeviceCertificateSn",
    "DeviceCertificateCn",
    "CaSn",
    "OrganizationalUnit",
    "Status",
];

/// A text as JSON: as short as can be, or with every character escaped.
fn written(text: &str, escaped: bool) -> String {
    let units: Vec<_> = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
    let units = units.concat();
    if escaped { format!("\"{units}\"") } else { json!(text).to_string().replace('/', "\\/") }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => ("[a-z0-9-]{0,40}", prop::bool::weighted(0.1)).prop_map(|(text, escaped)| written(&text, escaped)),
        4 => ("[\\PC\n\"/\\\\]{0,8}", any::<bool>()).prop_map(|(text, escaped)| written(&text, escaped)),
        1 => prop::sample::select(&ODD[..]).prop_map(str::to_owned),
    ]
}

fn field() -> impl Strategy<Value = (String, String)> {
    let number = prop_oneof![
        3 => Just("1766073600000".to_owned()),
        1 => prop::sample::select(&NUMBERS[..]).prop_map(str::to_owned),
    ];
    let skipped = prop::sample::select(&["\"PEM\"", "7", "null", "[[], {\"a\": false}]", "{}"][..]);
    let times = prop::sample::select(&["NotBeforeTime", "NotAfterTime"][..]);
    let others = prop::sample::select(&["DeviceCertificate", "Format", "clientid", ""][..]);
    prop_oneof![
        6 => (prop::sample::select(&USED[..]), text()).prop_map(|(name, value)| (name.to_owned(), value)),
        3 => (times, number).prop_map(|(name, value)| (name.to_owned(), value)),
        2 => (others, skipped).prop_map(|(name, value)| (name.to_owned(), value.to_owned())),
    ]
}

fn object(fields: &[(String, String)], blank: &str, escaped: bool) -> String {
    let field =
        |(name, value)| format!("{blank}{}{blank}:{blank}{value}{blank}", written(name, escaped));
    let fields = fields.iter().map(|(name, value)| field((name, value)));
    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
}

fn row_text() -> impl Strategy<Value = String> {
    let blank = prop::sample::select(&BLANKS[..]);
    let fields = prop::collection::vec(field(), 0..9);
    let row = (fields, blank, prop::bool::weighted(0.1), prop::bool::weighted(0.9));
    let row = row.prop_map(|(mut fields, blank, escaped, distinct)| {
        fields.sort();
        if distinct {
            fields.dedup_by(|one, other| one.0 == other.0);
        }
        object(&fields, blank, escaped)
    });
    prop_oneof![20 => row, 1 => prop::sample::select(&["null", "7", "\"row\"", "[]"][..]).prop_map(str::to_owned)]
}

fn body() -> impl Strategy<Value = String> {
    let total = prop_oneof![9 => Just("3"), 1 => prop::sample::select(&NUMBERS[..])];
    let error = prop_oneof![9 => Just("null"), 1 => Just("{\"Code\": \"X\"}")];
    let rows = prop_oneof![
        9 => prop::collection::vec(row_text(), 0..4).prop_map(|rows| format!("[{}]", rows.join(","))),
        1 => Just("null".to_owned()),
    ];
    let blank = prop::sample::select(&BLANKS[..]);
    (total, error, rows, blank, any::<bool>()).prop_map(|(total, error, rows, blank, turn)| {
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut fields = vec![
            field("TotalCount", total),
            field("Data", &rows),
            field("Error", error),
            field("RequestId", "\"r\""),
        ];
        if turn {
            fields.reverse();
        }
        let response = object(&fields, blank, false);
        object(
            &[field("Error", "null"), field("Response", &response), field("RequestId", "null")],
            blank,
            false,
        )
    })
}

proptest! {
    #![proptest_config(crate::property::cases(1024))]

    #[test]
    fn every_legal_form_is_read_as_serde_reads_it(body in body()) {
        prop_assert_eq!(told(body.as_bytes()), by_serde::told(body.as_bytes()));
    }

    #[test]
    fn a_body_that_was_changed_is_read_as_serde_reads_it_or_as_it_was(
        body in body(), place in any::<prop::sample::Index>(), byte in b' '..=b'[',
    ) {
        // Nothing that would be wrong in a text alone, since of texts that are not used only the end is looked for.
        let before = told(body.as_bytes());
        let mut body = body.into_bytes();
        let place = place.index(body.len());
        body[place] = byte;
        let (told, by_serde) = (told(&body), by_serde::told(&body));
        // Of a text that is skipped only the end is looked for: broken inside, it costs no row, and changes none.
        let is_skipped = by_serde.is_none() && told == before;
        prop_assert!(told == by_serde || is_skipped, "{told:?} and {by_serde:?}");
    }

    #[test]
    fn any_byte_in_what_is_used_is_read_as_serde_reads_it(
        place in any::<prop::sample::Index>(), byte in any::<u8>()
    ) {
        let mut body = fixture("DescribeDeviceCertificates.json");
        let pem = body.windows(5).position(|five| five == b"-----").unwrap();
        let place = place.index(pem);
        body[place] = byte;
        if let Some(told) = told(&body) {
            // A name of a field that is not UTF-8 is one that nobody knows.
            let body = String::from_utf8_lossy(&body);
            prop_assert_eq!(Some(told), by_serde::told(body.as_bytes()));
        } else {
            prop_assert_eq!(None, by_serde::told(&body));
        }
    }
}

#[test]
fn no_part_of_a_page_is_a_page() {
    let body = fixture("DescribeDeviceCertificates.json");
    let end = body.iter().rposition(|byte| *byte == b'}').unwrap();
    assert!(told(&body).is_some());
    for length in 0..=end {
        assert_eq!(told(&body[..length]), None, "{length} bytes");
        assert!(page(&body[..length], None).is_err(), "{length} bytes");
    }
}

#[test]
fn totals_and_nulls() {
    let total = |body: &str| page(body.as_bytes(), None).map(|page| page.total);
    let malformed = |text: &str| Err(Fault::Malformed(text.into()));
    for (body, expected) in [
        (r#"{"Response":{"TotalCount":0,"Data":null}}"#, Ok(0)),
        (r#"{"Response":{"TotalCount":0,"Data":[]}}"#, Ok(0)),
        (r#"{"Response":{"TotalCount":500,"Data":[]}}"#, Ok(500)),
        (r#"{"Response":{"TotalCount":5,"Data":null}}"#, malformed("TotalCount without Data")),
        (r#"{"Response":{"TotalCount":null,"Data":[]}}"#, malformed("no TotalCount")),
        (r#"{"Response":{"Data":[]}}"#, malformed("no TotalCount")),
    ] {
        assert_eq!(total(body), expected, "{body}");
    }
    assert!(matches!(
        total(r#"{"Response":{"TotalCount":-5,"Data":[]}}"#),
        Err(Fault::Malformed(_))
    ));
}
