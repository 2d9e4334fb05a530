//! What the provider's error codes mean: the exact code first, then its family before the first dot.

use crate::client::Class;

/// Classifies an error code. `temporary` says whether the credentials are temporary ones.
pub(super) fn class(code: &str, temporary: bool) -> Class {
    exact(code, temporary).unwrap_or_else(|| family(code.split('.').next().unwrap_or_default()))
}

fn exact(code: &str, temporary: bool) -> Option<Class> {
    Some(match code {
        // The SSL product throttles with this code; plain `LimitExceeded` is a quota.
        "LimitExceeded.RateLimitExceeded" => Class::Throttled,
        "FailedOperation.InstanceNotReady" => Class::NotReady,
        "FailedOperation.NetworkError"
        | "FailedOperation.SystemError"
        | "FailedOperation.CannotGetOrder" => Class::Unavailable,
        "FailedOperation.AuthError"
        | "FailedOperation.CAMAuthorizedFail"
        | "FailedOperation.NoProjectPermission"
        | "FailedOperation.NoRealNameAuth" => Class::Refused,
        "FailedOperation.CertificateNotFound" => Class::Gone,
        "AuthFailure.SignatureExpire" => Class::Clock,
        "AuthFailure.SignatureFailure" => Class::Signature,
        "AuthFailure.TokenFailure" => Class::Credential,
        "AuthFailure.SecretIdNotFound" if temporary => Class::Credential,
        _ => return None,
    })
}

fn family(prefix: &str) -> Class {
    match prefix {
        "RequestLimitExceeded" => Class::Throttled,
        "ServiceUnavailable" | "ResourceUnavailable" | "ResourceInsufficient" | "ResourceInUse" => {
            Class::Unavailable
        }
        // Trying these again helps seldom: https://github.com/tencentcloudstack/terraform-provider-tencentcloud
        // leaves InternalError out of its retries.
        "InternalError" | "FailedOperation" => Class::Faulty,
        "AuthFailure" | "UnauthorizedOperation" | "IpInBlacklist" | "IpNotInWhitelist" => {
            Class::Refused
        }
        "InvalidParameter"
        | "InvalidParameterValue"
        | "MissingParameter"
        | "UnknownParameter"
        | "InvalidRequest"
        | "InvalidAction"
        | "NoSuchVersion"
        | "NoSuchProduct"
        | "ActionOffline"
        | "UnsupportedOperation"
        | "UnsupportedProtocol"
        | "UnsupportedRegion"
        | "LimitExceeded"
        | "OperationDenied"
        | "DryRunOperation" => Class::BadRequest,
        "RequestSizeLimitExceeded" | "ResponseSizeLimitExceeded" => Class::TooBig,
        "ResourceNotFound" => Class::Gone,
        _ => Class::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_class() {
        for (expected, codes) in [
            (
                Class::Throttled,
                "RequestLimitExceeded RequestLimitExceeded.UinLimitExceeded \
                 RequestLimitExceeded.GlobalRegionUinLimitExceeded RequestLimitExceeded.IPLimitExceeded \
                 RequestLimitExceeded.Fresh LimitExceeded.RateLimitExceeded",
            ),
            (
                Class::Unavailable,
                "ServiceUnavailable ResourceUnavailable ResourceUnavailable.X ResourceInsufficient \
                 ResourceInUse FailedOperation.NetworkError FailedOperation.SystemError \
                 FailedOperation.CannotGetOrder",
            ),
            (
                Class::Faulty,
                "InternalError InternalError.BackendResponseEmpty InternalError.BackendResponseError \
                 FailedOperation FailedOperation.SomethingFresh",
            ),
            (Class::NotReady, "FailedOperation.InstanceNotReady"),
            (Class::Clock, "AuthFailure.SignatureExpire"),
            (Class::Signature, "AuthFailure.SignatureFailure"),
            (Class::Credential, "AuthFailure.TokenFailure"),
            (
                Class::Refused,
                "AuthFailure AuthFailure.InvalidSecretId AuthFailure.SecretIdNotFound \
                 AuthFailure.InvalidAuthorization AuthFailure.MFAFailure AuthFailure.UnauthorizedOperation \
                 UnauthorizedOperation UnauthorizedOperation.CamNoAuth FailedOperation.AuthError \
                 FailedOperation.CAMAuthorizedFail FailedOperation.NoProjectPermission \
                 FailedOperation.NoRealNameAuth IpInBlacklist IpNotInWhitelist",
            ),
            (
                Class::BadRequest,
                "InvalidParameter InvalidParameter.InstanceTypeNotMatch InvalidParameterValue.X \
                 MissingParameter UnknownParameter InvalidRequest InvalidAction NoSuchVersion NoSuchProduct \
                 ActionOffline UnsupportedOperation UnsupportedProtocol UnsupportedRegion LimitExceeded \
                 LimitExceeded.Quota OperationDenied DryRunOperation",
            ),
            (Class::TooBig, "RequestSizeLimitExceeded ResponseSizeLimitExceeded"),
            (
                Class::Gone,
                "ResourceNotFound ResourceNotFound.Instance ResourceNotFound.Certificate \
                 ResourceNotFound.Ca FailedOperation.CertificateNotFound",
            ),
            (Class::Unknown, "SomethingNew SomethingNew.Deeper RequestLimitExceededX"),
        ] {
            for code in codes.split_whitespace() {
                assert_eq!(class(code, false), expected, "{code}");
            }
        }
        assert_eq!(class("AuthFailure.SecretIdNotFound", true), Class::Credential);
        assert_eq!(class("", false), Class::Unknown);
    }
}
