//! A certificate as `DescribeCertificates` writes it.

use serde::Serialize;

use super::rows::Certificate;
use crate::fleet::DAY;

/// The fields of the vendor's page, and those that the China site added since.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
#[expect(clippy::struct_excessive_bools, reason = "the vendor's")]
pub(super) struct Item<'a> {
    owner_uin: &'static str,
    project_id: String,
    from: &'static str,
    package_type: &'static str,
    certificate_type: &'a str,
    product_zh_name: &'static str,
    domain: &'a str,
    alias: &'a str,
    status: u64,
    certificate_extra: Extra<'a>,
    vulnerability_status: &'static str,
    status_msg: &'static str,
    verify_type: &'static str,
    cert_begin_time: Option<String>,
    cert_end_time: Option<String>,
    validity_period: &'static str,
    insert_time: Option<String>,
    certificate_id: &'a str,
    subject_alt_name: &'a [String],
    package_type_name: &'static str,
    status_name: String,
    is_vip: bool,
    is_dv: bool,
    is_wildcard: bool,
    is_vulnerability: bool,
    renew_able: bool,
    project_info: Project,
    bound_resource: [&'static str; 0],
    deployable: bool,
    tags: [Tag; 1],
    is_ignore: bool,
    #[serde(rename = "IsSM")]
    is_sm: bool,
    encrypt_algorithm: &'static str,
    #[serde(rename = "CAEncryptAlgorithms")]
    ca_encrypt_algorithms: Vec<&'static str>,
    #[serde(rename = "CAEndTimes")]
    ca_end_times: Option<Vec<Option<String>>>,
    #[serde(rename = "CACommonNames")]
    ca_common_names: Vec<String>,
    pre_audit_info: PreAudit,
    auto_renew_flag: i64,
    hosting_status: i64,
    hosting_complete_time: Option<String>,
    hosting_renew_cert_id: Option<&'a str>,
    has_renew_order: &'a str,
    replace_ori_cert_is_delete: bool,
    is_expiring: bool,
    #[serde(rename = "DVAuthDeadline")]
    dv_auth_deadline: Option<String>,
    validation_passed_time: &'static str,
    #[serde(rename = "CertSANs")]
    cert_sans: &'a [String],
    awaiting_validation_msg: &'static str,
    allow_download: bool,
    #[serde(rename = "IsDNSPODResolve")]
    is_dnspod_resolve: bool,
    is_package: bool,
    key_password_custom_flag: bool,
    support_download_type: Downloads,
    cert_revoked_time: Option<String>,
    hosting_resource_types: [&'static str; 0],
    hosting_config: Option<()>,
    is_hosting_upload_renew_cert: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Extra<'a> {
    domain_number: String,
    origin_certificate_id: Option<&'a str>,
    replaced_by: Option<&'a str>,
    replaced_for: Option<&'a str>,
    renew_order: Option<&'a str>,
    #[serde(rename = "SMCert")]
    sm_cert: i64,
    company_type: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
#[expect(clippy::struct_field_names, reason = "the vendor's")]
struct Project {
    project_name: &'static str,
    project_creator_uin: u64,
    project_create_time: &'static str,
    project_resume: &'static str,
    owner_uin: u64,
    project_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PreAudit {
    total_period: u64,
    now_period: u64,
    manager_id: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    tag_key: &'static str,
    tag_value: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(clippy::struct_excessive_bools, reason = "the vendor's")]
struct Downloads {
    nginx: bool,
    apache: bool,
    tomcat: bool,
    iis: bool,
    jks: bool,
    other: bool,
    root: bool,
}

const EVERY_DOWNLOAD: Downloads = Downloads {
    nginx: true,
    apache: true,
    tomcat: true,
    iis: true,
    jks: true,
    other: true,
    root: true,
};

/// The tag that every certificate has.
pub(super) const TAG: (&str, &str) = ("team", "web");

impl Certificate {
    /// Returns whether it ends within 30 days, which is the vendor's fixed threshold.
    pub(super) fn is_expiring(&self, now: i64) -> bool {
        self.end.seconds().is_some_and(|end| (now..now + 30 * DAY).contains(&end))
    }

    fn written_ca_ends(&self) -> Option<Vec<Option<String>>> {
        let ends = self.ca_ends.iter().map(|time| time.text());
        (self.kind == "CA").then(|| ends.collect())
    }

    /// Until when the domain of a certificate that is not issued yet has to be validated.
    fn deadline(&self) -> Option<String> {
        self.begin.seconds().is_none().then(|| "2035-01-08 07:59:59".to_owned())
    }

    fn revoked_time(&self) -> Option<String> {
        (self.status == 10).then(|| "2024-11-06 08:00:0".to_owned())
    }

    fn extra(&self) -> Extra<'_> {
        Extra {
            domain_number: self.names.len().to_string(),
            origin_certificate_id: self.origin.as_deref(),
            replaced_by: None,
            replaced_for: None,
            renew_order: self.renew_order.as_deref(),
            sm_cert: 0,
            company_type: 0,
        }
    }

    fn project_info(&self) -> Project {
        Project {
            project_name: "default",
            project_creator_uin: 0,
            project_create_time: "0000-00-00 00:00:00",
            project_resume: "",
            owner_uin: 100_000_000_001,
            project_id: self.project.to_string(),
        }
    }

    /// Returns it as the product writes it at a time.
    pub(super) fn item(&self, now: i64) -> Item<'_> {
        Item {
            owner_uin: "100000000001",
            project_id: self.project.to_string(),
            from: if self.uploaded { "upload" } else { "trustasia" },
            package_type: "83",
            certificate_type: self.kind,
            product_zh_name: "TrustAsia TLS RSA CA",
            domain: &self.domain,
            alias: &self.alias,
            status: self.status,
            certificate_extra: self.extra(),
            vulnerability_status: "INACTIVE",
            status_msg: "",
            verify_type: "DNS_AUTO",
            cert_begin_time: self.begin.text(),
            cert_end_time: self.end.text(),
            validity_period: "12",
            insert_time: super::rows::Time::At(self.inserted).text(),
            certificate_id: &self.id,
            subject_alt_name: &self.names,
            package_type_name: "TrustAsia C1 DV Free",
            status_name: format!("status {}", self.status),
            is_vip: false,
            is_dv: true,
            is_wildcard: self.domain.starts_with('*'),
            is_vulnerability: false,
            renew_able: self.renew_able(now),
            project_info: self.project_info(),
            bound_resource: [],
            deployable: self.deployable(),
            tags: [Tag { tag_key: TAG.0, tag_value: TAG.1 }],
            is_ignore: self.ignored,
            is_sm: false,
            encrypt_algorithm: "RSA 2048",
            ca_encrypt_algorithms: self.ca_ends.iter().map(|_| "RSA 4096").collect(),
            ca_end_times: self.written_ca_ends(),
            ca_common_names: (0..self.ca_ends.len()).map(|ca| format!("Client CA {ca}")).collect(),
            pre_audit_info: PreAudit { total_period: 0, now_period: 0, manager_id: "" },
            auto_renew_flag: 0,
            hosting_status: self.hosting_status,
            hosting_complete_time: None,
            hosting_renew_cert_id: self.hosting_renewal.as_deref(),
            has_renew_order: &self.has_renew_order,
            replace_ori_cert_is_delete: false,
            is_expiring: self.is_expiring(now),
            dv_auth_deadline: self.deadline(),
            validation_passed_time: "--",
            cert_sans: &self.names,
            awaiting_validation_msg: "",
            allow_download: true,
            is_dnspod_resolve: false,
            is_package: false,
            key_password_custom_flag: false,
            support_download_type: EVERY_DOWNLOAD,
            cert_revoked_time: self.revoked_time(),
            hosting_resource_types: [],
            hosting_config: None,
            is_hosting_upload_renew_cert: false,
        }
    }

    /// Returns whether it can be renewed now.
    pub(super) fn renew_able(&self, now: i64) -> bool {
        self.status == 1 && self.is_expiring(now)
    }

    /// Returns whether it can be deployed.
    pub(super) fn deployable(&self) -> bool {
        self.status == 1 && self.kind != "CA"
    }
}
