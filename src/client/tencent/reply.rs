//! The response envelope, read in one pass over the body.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Unexpected, Visitor};

use crate::client::failure::brief;

/// What a body says when it is not the answer asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The provider's own error.
    Api {
        /// Its code.
        code: String,
        /// What it says to people. Never matched on.
        message: String,
        /// The number under which the vendor's support finds the request.
        request_id: String,
    },
    /// JSON that breaks the contract, and where.
    Malformed(String),
    /// Not JSON, or a part of it.
    Garbled(String),
}

/// The fields of a failed `Response`. Every successful one declares `error` as well.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ApiError {
    code: Option<String>,
    message: Option<String>,
}

/// The content of a `Response` object.
pub trait Reply {
    /// Returns the error in it, if it is one.
    fn error(&self) -> Option<&ApiError>;
}

/// Reads a body. Only what is inside `Response` counts: nulls beside it are noise of the vendor's backends.
pub fn decode<'a, T: Reply + Deserialize<'a>>(body: &'a [u8]) -> Result<T, Fault> {
    // Checked once as a whole, the body's strings need not be checked one by one.
    let read = match std::str::from_utf8(body) {
        Ok(text) => serde_json::from_str::<Envelope<T>>(text),
        Err(_) => serde_json::from_slice::<Envelope<T>>(body),
    };
    match read {
        Ok(Envelope { response: Some(reply) }) if reply.error().is_none() => Ok(reply),
        _ => Err(fault::<T>(body)),
    }
}

#[derive(serde::Deserialize)]
#[serde(bound = "T: Deserialize<'de>")]
struct Envelope<T> {
    #[serde(rename = "Response")]
    response: Option<T>,
}

/// Explains a body that is not an answer. Reads it a second time, which only failures pay for.
fn fault<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Fault {
    if let Some(fault) = api_fault(body).or_else(|| legacy_fault(body)) {
        return fault;
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    match serde_path_to_error::deserialize::<_, Envelope<T>>(&mut json) {
        Ok(Envelope { response: Some(_) }) => match json.end() {
            Ok(()) => Fault::Malformed("an error without a code".into()),
            Err(error) => Fault::Garbled(brief(&error.to_string())),
        },
        Ok(Envelope { response: None }) => Fault::Malformed("no `Response` in it".into()),
        Err(error) if error.inner().is_data() => Fault::Malformed(brief(&error.to_string())),
        Err(error) => Fault::Garbled(brief(&error.inner().to_string())),
    }
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Failed {
    error: ApiError,
    request_id: Option<String>,
}

fn api_fault(body: &[u8]) -> Option<Fault> {
    let failed = serde_json::from_slice::<Envelope<Failed>>(body).ok()?.response?;
    Some(Fault::Api {
        code: brief(&failed.error.code.unwrap_or_default()),
        message: brief(&failed.error.message.unwrap_or_default()),
        request_id: brief(&failed.request_id.unwrap_or_default()),
    })
}

/// The shape of API 2.0, which gateways of the vendor still answer with.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Legacy {
    code: i64,
    message: Option<String>,
    code_desc: Option<String>,
}

fn legacy_fault(body: &[u8]) -> Option<Fault> {
    let legacy: Legacy = serde_json::from_slice(body).ok()?;
    (legacy.code != 0).then(|| Fault::Api {
        code: brief(&legacy.code_desc.unwrap_or_else(|| legacy.code.to_string())),
        message: brief(&legacy.message.unwrap_or_default()),
        request_id: String::new(),
    })
}

/// A string that is borrowed from the body where it holds no escapes; `null` and absent are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text<'a>(pub Cow<'a, str>);

impl Text<'_> {
    /// Returns whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl AsRef<[u8]> for Text<'_> {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // `Option<Cow<str>>` always allocates: serde borrows a `Cow` only where it stands alone.
        struct Borrow;
        impl<'de> Visitor<'de> for Borrow {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
            fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
                Ok(Text::default())
            }
        }
        deserializer.deserialize_any(Borrow)
    }
}

/// A whole number, however it is written: `1.7660736E12` is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole(pub i64);

impl Whole {
    /// Returns the whole number that `number` is; `None` where it is none, or so large that it may be another one.
    #[expect(clippy::cast_possible_truncation, reason = "whole, and not too large")]
    pub fn of(number: f64) -> Option<Self> {
        /// From here on, neighbours are more than 1 apart.
        const LARGEST: f64 = 9_007_199_254_740_992.0;
        (number.fract() == 0.0 && number.abs() < LARGEST).then_some(Self(number as i64))
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Whole;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number")
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Whole, E> {
                Ok(Whole(number))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Whole, E> {
                let wrong = || E::invalid_value(Unexpected::Unsigned(number), &self);
                i64::try_from(number).map(Whole).map_err(|_| wrong())
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Whole, E> {
                Whole::of(number).ok_or_else(|| E::invalid_value(Unexpected::Float(number), &self))
            }
        }
        deserializer.deserialize_any(Number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct List<'a> {
        error: Option<ApiError>,
        total_count: Option<u64>,
        #[serde(borrow, default)]
        name: Text<'a>,
    }

    impl Reply for List<'_> {
        fn error(&self) -> Option<&ApiError> {
            self.error.as_ref()
        }
    }

    fn total(body: &str) -> Result<Option<u64>, Fault> {
        decode::<List<'_>>(body.as_bytes()).map(|list| list.total_count)
    }

    fn api(code: &str, message: &str, request_id: &str) -> Result<Option<u64>, Fault> {
        Err(Fault::Api {
            code: code.into(),
            message: message.into(),
            request_id: request_id.into(),
        })
    }

    #[test]
    fn only_the_inside_of_response_counts() {
        for body in [
            r#"{"Response":{"TotalCount":7,"RequestId":"r"}}"#,
            r#"{"Error":null,"RequestId":null,"Response":{"TotalCount":7,"RequestId":"r"}}"#,
            r#"{"Response":{"Error":null,"TotalCount":7,"RequestId":null}}"#,
            r#"{"Response":{"TotalCount":7,"DeprecatedWarning":"soon","New":{"x":[1]}},"Error":{"Code":"X"}}"#,
        ] {
            assert_eq!(total(body), Ok(Some(7)), "{body}");
        }
        assert_eq!(total(r#"{"Response":{"TotalCount":null}}"#), Ok(None));
    }

    #[test]
    fn failures_are_found_in_every_shape() {
        for (body, expected) in [
            (
                r#"{"Response":{"Error":{"Code":"AuthFailure","Message":"no"},"RequestId":"r-1"}}"#,
                api("AuthFailure", "no", "r-1"),
            ),
            (r#"{"Response":{"Error":{"Code":"X","Message":null}}}"#, api("X", "", "")),
            (r#"{"Response":{"Error":{"Code":"X"},"TotalCount":"wrong type"}}"#, api("X", "", "")),
            (
                r#"{"code":4100,"message":"denied","codeDesc":"AuthFailure"}"#,
                api("AuthFailure", "denied", ""),
            ),
            (r#"{"code":4100,"message":"denied"}"#, api("4100", "denied", "")),
            (r"{}", Err(Fault::Malformed("no `Response` in it".into()))),
            (r#"{"Response":null}"#, Err(Fault::Malformed("no `Response` in it".into()))),
        ] {
            assert_eq!(total(body), expected, "{body}");
        }
    }

    #[test]
    fn broken_bodies_say_where() {
        let Err(Fault::Malformed(text)) = total(r#"{"Response":{"TotalCount":"7"}}"#) else {
            panic!("not malformed")
        };
        assert!(text.starts_with("Response.TotalCount: invalid type"), "{text}");
        for body in
            ["<html>502</html>", "", r#"{"Response":{"TotalCo"#, r#"{"Response":{}}trailing"#]
        {
            assert!(matches!(total(body), Err(Fault::Garbled(_))), "{body}: {:?}", total(body));
        }
    }

    #[test]
    fn a_whole_number_may_be_written_in_any_form() {
        let whole = |text: &str| serde_json::from_str::<Whole>(text).ok().map(|whole| whole.0);
        for (text, expected) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("-7", Some(-7)),
            ("1766073600000.0", Some(1_766_073_600_000)),
            ("1.7660736E12", Some(1_766_073_600_000)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("1e16", None),
            ("0.5", None),
            ("null", None),
            (r#""7""#, None),
        ] {
            assert_eq!(whole(text), expected, "{text}");
        }
    }

    #[test]
    fn text_borrows_where_it_can() {
        let plain = decode::<List<'_>>(br#"{"Response":{"Name":"plain"}}"#).unwrap();
        assert!(matches!(plain.name.0, Cow::Borrowed("plain")));
        let escaped = decode::<List<'_>>(br#"{"Response":{"Name":"a\nb"}}"#).unwrap();
        assert_eq!(escaped.name.0, "a\nb");
        let null = decode::<List<'_>>(br#"{"Response":{"Name":null}}"#).unwrap();
        assert!(null.name.is_empty());
        assert!(decode::<List<'_>>(br#"{"Response":{"Name":5}}"#).is_err());
    }
}
