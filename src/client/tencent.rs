//! Tencent Cloud API 3.0: TC3-HMAC-SHA256 and the response envelope.
