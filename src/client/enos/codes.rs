//! What the codes of the gateway (`status`) and of the services (`code`) mean.

use crate::client::Class;

/// Classifies a code that is not zero.
pub(super) fn class(code: i64, message: &str) -> Class {
    match code {
        // The timestamp was used before: the next attempt has another one.
        1001 | 1003 => Class::Signature,
        1203 | 1204 => Class::Credential,
        1002 | 99403 => Class::Refused,
        1004 | 1202 => Class::BadRequest,
        // Flow control is the tenant's own and its answer is not documented: gateways repeat the HTTP status.
        429 => Class::Throttled,
        1005 => Class::Unavailable,
        11404 | 99404 => Class::Gone,
        99400 if is_our_mistake(message) => Class::BadRequest,
        99400 | 99500 => Class::Faulty,
        _ => Class::Unknown,
    }
}

/// 99400 is a bad argument, and also any failure of the certificate authority behind the service, which is
/// recognised by the text alone: <https://support.enos-iot.com/docs/connection-api/en/2.1.0/list_cert.html>.
fn is_our_mistake(message: &str) -> bool {
    let message = message.trim().to_ascii_lowercase();
    message.starts_with("invalid argument") || message.starts_with("device identifier is invalid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_class() {
        for (code, message, expected) in [
            (1001, "duplicate", Class::Signature),
            (1002, "", Class::Refused),
            (1003, "", Class::Signature),
            (1004, "", Class::BadRequest),
            (1202, "", Class::BadRequest),
            (1005, "", Class::Unavailable),
            (429, "flow control: too many requests", Class::Throttled),
            (1203, "", Class::Credential),
            (1204, "", Class::Credential),
            (11404, "Device cannot be found", Class::Gone),
            (99404, "", Class::Gone),
            (99403, "", Class::Refused),
            (99500, "Internal error of certificate service", Class::Faulty),
            (99400, "invalid argument: Device identifier is invalid", Class::BadRequest),
            (99400, "Invalid Argument", Class::BadRequest),
            (
                99400,
                "Call ca error!: Certificate service err info:, code: 3, message: invalid argument",
                Class::Faulty,
            ),
            (99400, "Query cert is failed!message: timeout", Class::Faulty),
            (
                99400,
                "When calling Certificate Services, the call parameters are invalid.",
                Class::Faulty,
            ),
            (77777, "", Class::Unknown),
        ] {
            assert_eq!(class(code, message), expected, "{code} {message}");
        }
    }
}
