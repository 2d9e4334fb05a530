//! What the signatures of the services here have in common.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::client::hmac::hmac_sha256;

/// Returns the HMAC-SHA256 of `message` under `key`, in base64.
pub(super) fn hmac_base64(key: &[u8], message: &[u8]) -> String {
    STANDARD.encode(hmac_sha256(key, message))
}
