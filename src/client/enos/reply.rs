//! The answers of the gateway and of the services behind it.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::client::Action;
use crate::client::failure::{CallError, Class, brief};
use crate::client::http::Response;

use super::codes;

/// Reads an answer: first what the body says, then the HTTP status.
///
/// `secret` answers hold a token, so that their text is never quoted.
pub(super) fn read<T: DeserializeOwned>(
    action: Action,
    response: &Response,
    secret: bool,
) -> Result<T, CallError> {
    let body: Result<Value, _> = serde_json::from_slice(&response.body);
    let Ok(body) = body else {
        return Err(CallError::from_status(action, response.status));
    };
    if let Some(mut error) = provider_error(action, &body) {
        if error.class == Class::Unknown && response.status != 200 {
            error.class = CallError::from_status(action, response.status).class;
        }
        return Err(error);
    }
    if response.status != 200 {
        return Err(CallError::from_status(action, response.status));
    }
    serde_path_to_error::deserialize(body).map_err(|error| {
        let place = error.path().to_string();
        let text = if secret { place } else { format!("{place}: {}", error.inner()) };
        CallError::new(action, Class::Malformed, brief(&text))
    })
}

/// The gateway refuses with `status`, the services with `code`.
fn provider_error(action: Action, body: &Value) -> Option<CallError> {
    // A sample in the vendor's documentation spells it `stauts`.
    let code = ["status", "stauts", "code"]
        .iter()
        .filter_map(|name| number(body.get(name)?))
        .find(|&code| code != 0 && code != 200)?;
    let text = |name| body.get(name).and_then(Value::as_str).map(brief);
    let message = text("msg").or_else(|| text("message")).unwrap_or_default();
    let request = text("requestId").unwrap_or_default();
    let class = codes::class(code, &message);
    let stated = format!("{code}: {message} (request {request})");
    Some(CallError { code: code.to_string(), ..CallError::new(action, class, stated) })
}

fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct List {
        data: Vec<u8>,
    }

    fn answer(status: u16, body: &str) -> Result<Vec<u8>, (Class, String)> {
        let response = Response {
            status,
            headers: reqwest::header::HeaderMap::new(),
            body: body.to_owned().into(),
        };
        read::<List>(Action::new("List"), &response, false)
            .map(|list| list.data)
            .map_err(|error| (error.class, error.code))
    }

    #[test]
    fn the_body_counts_before_the_status() {
        let failed = |class, code: &str| Err((class, code.to_owned()));
        for (status, body, expected) in [
            (200, r#"{"code":0,"msg":"OK","data":[1]}"#, Ok(vec![1])),
            (200, r#"{"status":0,"data":[]}"#, Ok(vec![])),
            (200, r#"{"code":11404,"msg":"Device cannot be found"}"#, failed(Class::Gone, "11404")),
            (401, r#"{"status":1203,"msg":"expired"}"#, failed(Class::Credential, "1203")),
            (400, r#"{"status":"1001","msg":"duplicate"}"#, failed(Class::Signature, "1001")),
            (200, r#"{"stauts":1005,"msg":""}"#, failed(Class::Unavailable, "1005")),
            (429, "{}", failed(Class::Throttled, "")),
            (429, r#"{"status":429,"msg":"flow control"}"#, failed(Class::Throttled, "429")),
            (503, r#"{"code":77777,"msg":""}"#, failed(Class::Unavailable, "77777")),
            (200, r#"{"code":77777,"msg":""}"#, failed(Class::Unknown, "77777")),
            (403, "<html>", failed(Class::Refused, "")),
            (502, "<html>", failed(Class::Unavailable, "")),
            (200, "<html>", failed(Class::Garbled, "")),
            (200, r#"{"code":0,"data":"x"}"#, failed(Class::Malformed, "")),
            (200, r#"{"code":0}"#, failed(Class::Malformed, "")),
        ] {
            assert_eq!(answer(status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn secret_answers_are_not_quoted() {
        let response = Response {
            status: 200,
            headers: reqwest::header::HeaderMap::new(),
            body: r#"{"data":"TOKEN"}"#.into(),
        };
        let shown = |secret| read::<List>(Action::new("List"), &response, secret).unwrap_err().text;
        assert_eq!(shown(true), "data");
        assert!(shown(false).contains("TOKEN"));
    }
}
