//! `DescribeInstanceList` and `DescribeInstance`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::select::{Filter, paging};
use super::{Held, Mqtt};
use crate::POISON;
use crate::tencent::{Product as _, Refusal};

/// The parameters of `DescribeInstanceList`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct InstancesRequest {
    filters: Option<Vec<Filter>>,
    offset: Option<i64>,
    limit: Option<i64>,
    tag_filters: Option<Vec<Value>>,
}

/// The parameter of the actions about one instance.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct InstanceRequest {
    pub instance_id: Option<String>,
}

/// Returns a page of the instances.
pub(super) fn list<'a>(
    request: &InstancesRequest,
    held: impl Iterator<Item = &'a Held>,
    request_id: &str,
) -> Result<Vec<u8>, Refusal> {
    let (offset, limit) = paging(request.offset, request.limit)?;
    // With `TagFilters` the provider ignores `Filters`; no instance here has a tag.
    let is_tagged = request.tag_filters.as_ref().is_some_and(|tags| !tags.is_empty());
    let filters = request.filters.as_deref().unwrap_or(&[]);
    let mut matching = Vec::new();
    for held in held {
        let mut fits = !is_tagged;
        for filter in filters {
            fits &= meets(held, filter)?;
        }
        if fits {
            matching.push(item(held));
        }
    }
    let total = matching.len();
    let page: Vec<Value> =
        matching.into_iter().skip(offset as usize).take(limit as usize).collect();
    let response = json!({"Data": page, "RequestId": request_id, "TotalCount": total});
    Ok(envelope(&response))
}

/// Returns one instance.
pub(super) fn one(held: &Held, request_id: &str) -> Vec<u8> {
    let mut response = item(held);
    let more = json!({
        "AutomaticActivation": true,
        "AuthorizationPolicy": true,
        // Documented in seconds here, in milliseconds in the list.
        "CreatedTime": CREATED,
        "DeviceCertificateProvisionType": "API",
        "RegistrationCode": POISON,
        "RequestId": request_id,
        "ServerCertLimit": 1,
        "TransportLayerSecurity": "TLSv1.3,TLSv1.2",
        "TrustedCaLimit": 1,
        "UseDefaultServerCert": true,
        "X509Mode": held.spec.mode.as_str(),
    });
    if let (Value::Object(response), Value::Object(more)) = (&mut response, more) {
        response.remove("CreateTime");
        response.extend(more);
    }
    envelope(&response)
}

/// Returns where an instance is open to the public. One that is not has a status and nothing else.
pub(super) fn public_endpoints(held: &Held, request_id: &str) -> Vec<u8> {
    let endpoint = |kind: &str, address: &str| {
        let (host, port) = address.rsplit_once(':').unwrap_or((address, "0"));
        let port: u64 = port.parse().unwrap_or_default();
        json!({ "Type": kind, "Url": address, "Host": host, "Port": port, "Ip": null, "VpcId": "", "SubnetId": "" })
    };
    let endpoints = held.public.as_deref().map(|address| {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        // In the clear, and nobody listens there.
        vec![endpoint("mqtt-tcp", &format!("{host}:1")), endpoint("mqtt-tls", address)]
    });
    let status = if endpoints.is_some() { "NORMAL" } else { "CLOSE" };
    envelope(&json!({
        "InstanceId": held.spec.id, "Endpoints": endpoints.unwrap_or_default(), "Bandwidth": 1, "Rules": [],
        "Status": status, "RequestId": request_id,
    }))
}

const CREATED: i64 = 1_741_832_627;

fn envelope(response: &Value) -> Vec<u8> {
    format!(r#"{{{}"Response":{response}}}"#, Mqtt::PREFIX).into_bytes()
}

fn item(held: &Held) -> Value {
    let spec = &held.spec;
    let edition = if spec.basic { "BASIC" } else { "PRO" };
    json!({
        "InstanceId": spec.id,
        "InstanceName": format!("fleet {}", spec.id),
        "Version": "5.0",
        "InstanceType": edition,
        "InstanceStatus": held.status,
        "Remark": null,
        "TopicNum": 12,
        "TopicNumLimit": 100,
        "SkuCode": "pro_6k_1",
        "TpsLimit": 6000,
        // The official example has seconds here, though the field is documented in milliseconds.
        "CreateTime": CREATED,
        "MaxSubscriptionPerClient": 30,
        "ClientNumLimit": 100_000,
        "RenewFlag": 1,
        "PayMode": "POSTPAID",
        "ExpiryTime": 0,
        "DestroyTime": 0,
        "AuthorizationPolicyLimit": 50,
        "MaxCaNum": 20,
        "MaxSubscription": 100_000,
        "SharedSubscriptionGroupLimit": 100,
        "MaxTopicFilterPerSharedSubscriptionGroup": 10,
        "DeleteProtect": true,
    })
}

fn meets(held: &Held, filter: &Filter) -> Result<bool, Refusal> {
    let any = |fits: &dyn Fn(&str) -> bool| filter.values.iter().any(|value| fits(value));
    Ok(match filter.name.as_str() {
        "InstanceId" => any(&|value| value == held.spec.id),
        "InstanceName" => any(&|value| format!("fleet {}", held.spec.id).contains(value)),
        "InstanceStatus" => any(&|value| value == held.status),
        "PayMode" => any(&|value| value == "POSTPAID"),
        "ExpiredBefore" => false,
        _ => return Err(Refusal::value("Filters", "unknown filter name")),
    })
}
