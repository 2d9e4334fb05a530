//! What an answer means, where services agree: transport faults, HTTP statuses, pauses.

use std::time::Duration;

use reqwest::header::{DATE, HeaderMap, HeaderName, LOCATION};
use serde_json::Value;
use url::Url;

use super::{Receipt, SendError};
use crate::client::http::{HttpError, Response};
use crate::client::time;
use crate::expiry::Timestamp;
use crate::expiry::text::{cut_chars, inert};

/// The pause when a service asks for one without a length.
const PAUSE: Duration = Duration::from_mins(1);
const LEAST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_hours(6);

/// Returns that a person must act.
pub(super) fn down(code: impl Into<String>, hint: impl Into<String>) -> SendError {
    SendError::ChannelDown { code: code.into(), hint: hint.into() }
}

/// Returns that the service asks for a pause.
pub(super) fn throttled(code: impl Into<String>, seconds: u64) -> SendError {
    SendError::Throttled { after: Duration::from_secs(seconds), code: code.into() }
}

/// Returns that the service asks for a pause, as long as the answer says.
pub(super) fn paused(code: impl Into<String>, response: &Response, now: Timestamp) -> SendError {
    let after = retry_after(&response.headers, now).unwrap_or(PAUSE);
    SendError::Throttled { after, code: code.into() }
}

/// Returns that this payload will never be accepted.
pub(super) fn rejected(code: impl Into<String>) -> SendError {
    SendError::RejectMessage { code: code.into() }
}

/// Returns that the fault will pass.
pub(super) fn passing(code: impl Into<String>, after: Option<Duration>) -> SendError {
    SendError::Retry { after, code: code.into() }
}

/// Returns that nobody knows what the answer means. It is never a success, and it is not retried for long.
pub(super) fn unknown(code: impl std::fmt::Display) -> SendError {
    SendError::Retry { after: None, code: format!("{}{code}", SendError::UNKNOWN) }
}

/// Returns what a request without an answer means.
pub(super) fn of_transport(error: &HttpError) -> SendError {
    let code = cut_chars(&error.to_string(), 120);
    match error {
        HttpError::Connect(_) | HttpError::Tls(_) => passing(code, None),
        // The request may have been written, and the message delivered.
        HttpError::Timeout
        | HttpError::Reset(_)
        | HttpError::Body(_)
        | HttpError::TooLarge { .. } => SendError::Ambiguous { code },
        HttpError::Invalid(_) => down(code, "correct the options of the channel"),
    }
}

/// Returns what the status means by itself, for an answer whose body adds nothing.
pub(super) fn of_status(response: &Response, now: Timestamp) -> Result<(), SendError> {
    let status = response.status;
    let code = format!("http {status}");
    Err(match status {
        200..=299 => return Ok(()),
        300..=399 => redirected(response, &code),
        400 | 411 | 413 | 415 | 422 => rejected(code),
        401 | 403 => down(code, "check the url and the credentials of the channel"),
        SendError::NOT_FOUND | 405 | 410 => {
            down(code, "check the url of the channel, nothing is there")
        }
        407 => down(code, "give the proxy the credentials it asks for"),
        408 | 425 => passing(code, None),
        429 => paused(code, response, now),
        500..=599 => passing(
            code,
            retry_after(&response.headers, now).filter(|_| (502..=504).contains(&status)),
        ),
        _ => unknown(code),
    })
}

/// Returns the verdict of a service that answers with a JSON object that holds a number under `key`.
///
/// Zero is a success with status 2xx only; `judge` is asked what any other number means.
pub(super) fn of_code(
    response: &Response,
    key: &str,
    now: Timestamp,
    judge: impl FnOnce(i64, &str) -> SendError,
) -> Result<Receipt, SendError> {
    if response.status == 429 {
        return of_status(response, now).map(|()| Receipt::default());
    }
    let body: Option<Value> = serde_json::from_slice(&response.body).ok();
    let code = body.as_ref().and_then(|body| body.get(key)).and_then(Value::as_i64);
    let text = |key: &str| body.as_ref().and_then(|body| body.get(key)).and_then(Value::as_str);
    match code {
        Some(0) => of_status(response, now).map(|()| Receipt::default()),
        Some(code) => Err(judge(code, text("errmsg").or_else(|| text("msg")).unwrap_or_default())),
        // A captive portal or a proxy answers 200 with a page of its own.
        None => Err(of_status(response, now)
            .err()
            .unwrap_or_else(|| unknown("answer without a verdict"))),
    }
}

/// Returns how long the service asks to wait, as seconds or as a date, between 1 s and 6 h.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    Some(time::retry_after(headers, now)?.clamp(LEAST_PAUSE, LONGEST_PAUSE))
}

/// Returns the service's time minus ours in seconds, from the `Date` header.
fn clock_offset(headers: &HeaderMap, now: Timestamp) -> Option<i64> {
    Some(time::http_date(text_of(headers, &DATE)?)?.since(now))
}

/// Returns who is to blame for a refused signature. Both vendors accept one hour of difference.
pub(super) fn signature_hint(headers: &HeaderMap, now: Timestamp) -> &'static str {
    match clock_offset(headers, now) {
        Some(offset) if offset.unsigned_abs() > 3000 => {
            "set the clock of this machine, it differs from the service"
        }
        _ => "check the secret of the channel against the signature setting of the robot",
    }
}

fn redirected(response: &Response, code: &str) -> SendError {
    let target = text_of(&response.headers, &LOCATION).and_then(|text| Url::parse(text).ok());
    let host = target
        .as_ref()
        .and_then(Url::host_str)
        .map_or_else(|| "elsewhere".to_owned(), |host| inert(host, 64));
    down(
        format!("{code} redirect"),
        format!("a redirect to {host} is not followed, configure the final address"),
    )
}

fn text_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::super::sample::{NOW, answer, answer_with};
    use super::*;

    #[test]
    fn statuses_mean_what_the_table_says() {
        for (status, outcome) in [
            (301, "down"),
            (302, "down"),
            (307, "down"),
            (400, "rejected"),
            (401, "down"),
            (403, "down"),
            (404, "down"),
            (405, "down"),
            (407, "down"),
            (408, "retry"),
            (410, "down"),
            (411, "rejected"),
            (413, "rejected"),
            (415, "rejected"),
            (418, "retry"),
            (422, "rejected"),
            (425, "retry"),
            (429, "throttled"),
            (500, "retry"),
            (502, "retry"),
            (503, "retry"),
            (599, "retry"),
        ] {
            let verdict = of_status(&answer(status, ""), NOW).unwrap_err();
            assert_eq!(verdict.outcome(), outcome, "{status}");
        }
        assert_eq!(of_status(&answer(204, ""), NOW), Ok(()));
        assert!(of_status(&answer(418, ""), NOW).unwrap_err().is_unknown());
        assert!(!of_status(&answer(500, ""), NOW).unwrap_err().is_unknown());
        assert!(of_status(&answer(404, ""), NOW).unwrap_err().is_not_found());
        assert!(!of_status(&answer(410, ""), NOW).unwrap_err().is_not_found());
    }

    #[test]
    fn pauses_are_read_in_both_forms_and_kept_in_bounds() {
        for (value, expected) in [
            ("30", Some(30)),
            ("0", Some(1)),
            ("999999999", Some(21_600)),
            ("Thu, 01 Jan 2026 00:02:00 GMT", Some(120)),
            ("Thu, 01 Jan 2015 00:02:00 GMT", Some(1)),
            ("Thu, 01 Jan 2099 00:02:00 GMT", Some(21_600)),
            ("-1", None),
            ("soon", None),
        ] {
            let response = answer_with(429, &[("retry-after", value)], "");
            let seconds = retry_after(&response.headers, NOW).map(|after| after.as_secs());
            assert_eq!(seconds, expected, "{value}");
        }
        let of = |status, pairs: &[(&'static str, &str)]| {
            of_status(&answer_with(status, pairs, ""), NOW).unwrap_err()
        };
        assert_eq!(of(429, &[]), throttled("http 429", 60));
        assert_eq!(
            of(503, &[("retry-after", "7")]),
            passing("http 503", Some(Duration::from_secs(7)))
        );
        for status in [502, 503, 504] {
            let verdict = of(status, &[("retry-after", "7")]);
            let seven = Some(Duration::from_secs(7));
            assert_eq!(verdict, passing(format!("http {status}"), seven), "a failure, not a pause");
        }
        assert_eq!(of(500, &[("retry-after", "7")]), passing("http 500", None));
    }

    #[test]
    fn a_redirect_shows_its_host_and_nothing_else() {
        let verdict = of_status(
            &answer_with(302, &[("location", "https://u:p@login.test/s3cr3t?k=v")], ""),
            NOW,
        );
        let SendError::ChannelDown { code, hint } = verdict.unwrap_err() else {
            panic!("a redirect is down")
        };
        assert_eq!(code, "http 302 redirect");
        assert_eq!(hint, "a redirect to login.test is not followed, configure the final address");
    }

    #[test]
    fn transport_faults_are_distinguished() {
        for (error, outcome) in [
            (HttpError::Connect("refused".into()), "retry"),
            (HttpError::Tls("expired".into()), "retry"),
            (HttpError::Timeout, "ambiguous"),
            (HttpError::Reset("by peer".into()), "ambiguous"),
            (HttpError::Body("cut".into()), "ambiguous"),
            (HttpError::TooLarge { cap: 1 }, "ambiguous"),
            (HttpError::Invalid("header".into()), "down"),
        ] {
            assert_eq!(of_transport(&error).outcome(), outcome, "{error:?}");
        }
    }

    #[test]
    fn a_code_is_judged_with_the_status() {
        let judge = |code: i64, text: &str| rejected(format!("{code} {text}"));
        for (response, expected) in [
            (answer(200, r#"{"code":0}"#), None),
            (answer(500, r#"{"code":0}"#), Some("http 500")),
            (answer(200, r#"{"code":7,"msg":"no"}"#), Some("7 no")),
            (answer(400, r#"{"code":7,"errmsg":"no"}"#), Some("7 no")),
            (answer(200, "<html>"), Some("unknown: answer without a verdict")),
            (answer(200, r#"{"code":"0"}"#), Some("unknown: answer without a verdict")),
            (answer(200, ""), Some("unknown: answer without a verdict")),
            (answer(502, "<html>"), Some("http 502")),
            (answer(429, r#"{"code":7}"#), Some("http 429")),
        ] {
            let verdict = of_code(&response, "code", NOW, judge).err();
            assert_eq!(verdict.as_ref().map(SendError::code), expected);
        }
    }
}
