"""The official Tencent SDK for Python, as an independent judge of the simulator and of the daemon's signatures.

`judge.py drive` reads one JSON object from standard input and drives every action of the simulator with the SDK:

    {"mqtt": "127.0.0.1:1", "ssl": "127.0.0.1:2", "region": "ap-guangzhou", "instance": "mqtt-…", "ended": "<status>",
     "id": "…", "key": "…", "temporary_id": "…", "temporary_key": "…", "token": "…",
     "devices": [[ca_sn, sn, not_after or null, status, client_id, common_name, unit], …],   in order of creation
     "authorities": [[ca_sn, name, not_after], …], "certificates": [[id, not_after or null, status, domain], …],
     "instances": [[id, mode], …]}

Times are seconds since 1970. It prints `judge: N checks`, or what differs and exits with 1.

`judge.py throttled` reads the same object and expects every action to be throttled.

`judge.py sign` reads JSON lines and prints, for each, the headers that the SDK makes, as a JSON line:

    {"secret_id": "…", "secret_key": "…", "token": "…" or null, "timestamp": 1763827200, "host": "mqtt.…",
     "service": "mqtt", "version": "2024-05-16", "action": "…", "region": "…" or "", "body": "<exact text>"}
"""

import datetime
import json
import sys
import types

from tencentcloud.common import abstract_client, credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.http.request import RequestInternal
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.mqtt.v20240516 import models as mqtt_models
from tencentcloud.mqtt.v20240516.mqtt_client import MqttClient
from tencentcloud.ssl.v20191205 import models as ssl_models
from tencentcloud.ssl.v20191205.ssl_client import SslClient

checks = 0
wrong = []


def check(what, found, wanted):
    global checks
    checks += 1
    if found != wanted:
        wrong.append(f"{what}: found {str(found)[:300]}, wanted {str(wanted)[:300]}")


class Judge:
    def __init__(self, case):
        self.case = case
        self.mqtt = self.client(MqttClient, "mqtt", case["region"])
        self.ssl = self.client(SslClient, "ssl", "")

    def client(self, kind, service, region, **other):
        case = self.case
        held = credential.Credential(
            other.get("id", case["id"]), other.get("key", case["key"]), other.get("token"))
        http = HttpProfile(protocol="http", endpoint=case[service], keepAlive=True, reqTimeout=20)
        return kind(held, region, ClientProfile(httpProfile=http, language="en-US"))

    def ask(self, client, action, parameters):
        models = mqtt_models if isinstance(client, MqttClient) else ssl_models
        request = getattr(models, action + "Request")()
        request.from_json_string(json.dumps(parameters))
        return getattr(client, action)(request)

    def refused(self, what, code, client, action, parameters):
        try:
            self.ask(client, action, parameters)
        except TencentCloudSDKException as error:
            check(what, error.get_code(), code)
            check(what + ": request id", bool(error.get_request_id()), True)
            check(what + ": message", bool(error.get_message()), True)
        else:
            check(what, "no error", code)

    def list(self, **parameters):
        parameters.setdefault("InstanceId", self.case["instance"])
        return self.ask(self.mqtt, "DescribeDeviceCertificates", parameters)

    def filtered(self, limit=100, **filters):
        pairs = [{"Name": name, "Values": values} for name, values in filters.items()]
        return self.list(Limit=limit, Filters=pairs, OrderBy="CREATE_TIME_ASC")

    # DescribeDeviceCertificates

    def device_pages(self):
        wanted = self.case["devices"]
        for order in ("CREATE_TIME_ASC", "CREATE_TIME_DESC", "UPDATE_TIME_ASC", "UPDATE_TIME_DESC"):
            found, key = [], []
            while True:
                page = self.list(Limit=100, Offset=len(found), OrderBy=order)
                check("TotalCount", page.TotalCount, len(wanted))
                check("RequestId", len(page.RequestId), 36)
                if not page.Data:
                    break
                found += [row(item) for item in page.Data]
                key += [item.CreatedTime if "CREATE" in order else item.UpdateTime for item in page.Data]
                for item in page.Data:
                    device_fields(item)
            if order == "CREATE_TIME_ASC":
                check(order, found, wanted)
            check(order + ": the same rows", sorted(map(str, found)), sorted(map(str, wanted)))
            check(order + ": sorted", key, sorted(key, reverse=order.endswith("DESC")))

    def device_paging(self):
        wanted = [device[1] for device in self.case["devices"]]
        serials = lambda page: [item.DeviceCertificateSn for item in page.Data]
        check("Limit is 20 by default", len(self.list().Data), 20)
        page = self.list(Limit=7, Offset=5, OrderBy="CREATE_TIME_ASC")
        check("Offset", serials(page), wanted[5:12])
        page = self.list(Limit=10, Offset=len(wanted) - 3, OrderBy="CREATE_TIME_ASC")
        check("the last page", serials(page), wanted[-3:])
        page = self.list(Limit=10, Offset=len(wanted), OrderBy="CREATE_TIME_ASC")
        check("after the last page", (serials(page), page.TotalCount), ([], len(wanted)))

    def device_filters(self):
        devices = self.case["devices"]

        def same(what, page, wanted):
            check(what + ": total", page.TotalCount, len(wanted))
            check(what, [row(item) for item in page.Data], wanted[:100])

        ca, serial, _, _, client, name, unit = devices[17]
        same("ClientId", self.filtered(ClientId=[client]), [d for d in devices if d[4] == client])
        same("CaSn", self.filtered(CaSn=[ca]), [d for d in devices if d[0] == ca])
        same("DeviceCertificateSn", self.filtered(DeviceCertificateSn=[serial]), [devices[17]])
        same("DeviceCertificateCn", self.filtered(DeviceCertificateCn=[name]),
             [d for d in devices if d[5] == name])
        same("OrganizationalUnit", self.filtered(OrganizationalUnit=[unit]),
             [d for d in devices if d[6] == unit])
        for status in ("ACTIVE", "INACTIVE", "REVOKED", "PENDING_ACTIVATION"):
            same("Status", self.filtered(Status=[status]), [d for d in devices if d[3] == status])
        either = ["REVOKED", "INACTIVE"]
        same("any value of a filter", self.filtered(Status=either), [d for d in devices if d[3] in either])
        same("every filter", self.filtered(Status=["ACTIVE"], CaSn=[ca]),
             [d for d in devices if d[3] == "ACTIVE" and d[0] == ca])
        self.windows(same)

    def windows(self, same):
        devices = self.case["devices"]
        ends = sorted(d[2] for d in devices if d[2])
        middle, later = ends[len(ends) // 2], ends[len(ends) * 2 // 3]
        within = lambda low, high: [d for d in devices if d[2] and low <= d[2] <= high]
        millis = lambda seconds: [str(seconds * 1000)]
        same("both bounds are included", self.filtered(NotAfterStart=millis(middle), NotAfterEnd=millis(middle)),
             within(middle, middle))
        same("NotAfterStart", self.filtered(NotAfterStart=millis(middle)), within(middle, 1 << 40))
        same("NotAfterEnd", self.filtered(NotAfterEnd=millis(middle)), within(0, middle))
        same("a window", self.filtered(NotAfterStart=millis(middle), NotAfterEnd=millis(later)),
             within(middle, later))
        # Half a second beyond a whole second neither takes a certificate in nor leaves one out.
        same("half seconds", self.filtered(NotAfterStart=[str(middle * 1000 - 500)],
                                           NotAfterEnd=[str(later * 1000 + 499)]), within(middle, later))
        same("the year 9999", self.filtered(NotAfterStart=["253402300799000"]), [])

    def device_refusals(self):
        list_action, instance = "DescribeDeviceCertificates", self.case["instance"]
        for what, code, parameters in (
            ("no InstanceId", "MissingParameter", {}),
            ("no such instance", "ResourceNotFound.Instance", {"InstanceId": "mqtt-none"}),
            ("Limit 101", "InvalidParameterValue", {"InstanceId": instance, "Limit": 101}),
            ("Limit 0", "InvalidParameterValue", {"InstanceId": instance, "Limit": 0}),
            ("Offset -1", "InvalidParameterValue", {"InstanceId": instance, "Offset": -1}),
            ("OrderBy", "InvalidParameterValue", {"InstanceId": instance, "OrderBy": "NOT_AFTER_ASC"}),
            ("filter name", "InvalidParameterValue",
             {"InstanceId": instance, "Filters": [{"Name": "Client id", "Values": ["x"]}]}),
            ("filter value", "InvalidParameter",
             {"InstanceId": instance, "Filters": [{"Name": "NotAfterEnd", "Values": [1]}]}),
        ):
            self.refused(what, code, self.mqtt, list_action, parameters)

    # The other MQTT actions

    def device_points(self):
        action, instance = "DescribeDeviceCertificate", self.case["instance"]
        for device in self.case["devices"][:50]:
            found = self.ask(self.mqtt, action, {"InstanceId": instance, "DeviceCertificateSn": device[1]})
            check("one device certificate", row(found), device)
            device_fields(found)
        none = {"InstanceId": instance, "DeviceCertificateSn": "0" * 40}
        self.refused("no such certificate", "ResourceNotFound.Certificate", self.mqtt, action, none)
        self.refused("no serial", "MissingParameter", self.mqtt, action, {"InstanceId": instance})

    def authorities(self):
        action = "DescribeCaCertificates"
        found = self.ask(self.mqtt, action, {"InstanceId": self.case["instance"]})
        rows = [[ca.CaSn, ca.CaCn, ca.NotAfterTime // 1000] for ca in found.Data]
        check("CA certificates", rows, self.case["authorities"])
        for ca in found.Data:
            check("a CA's issuer", ca.CaIssuerCn, ca.CaCn)
            check("a CA's status", (ca.Status, ca.Format), ("ACTIVE", "PEM"))
            check("a CA's PEM", ca.CaCertificate.startswith("-----BEGIN CERTIFICATE-----\nMII"), True)
            check("a CA's times", ca.NotBeforeTime < ca.NotAfterTime, True)
        self.refused("CAs of no instance", "MissingParameter", self.mqtt, action, {})

    def instances(self):
        wanted = [instance[0] for instance in self.case["instances"]]
        found = self.ask(self.mqtt, "DescribeInstanceList", {"Limit": 100})
        check("instances", [item.InstanceId for item in found.Data], wanted)
        check("instances: total", found.TotalCount, len(wanted))
        for item in found.Data:
            check("an instance", (item.InstanceStatus, item.MaxCaNum), ("RUNNING", 20))
        second = self.ask(self.mqtt, "DescribeInstanceList", {"Limit": 1, "Offset": 1})
        check("second instance", ([item.InstanceId for item in second.Data], second.TotalCount),
              (wanted[1:2], len(wanted)))
        by_id = {"Filters": [{"Name": "InstanceId", "Values": [wanted[-1]]}]}
        found = self.ask(self.mqtt, "DescribeInstanceList", by_id)
        check("instance by id", [item.InstanceId for item in found.Data], wanted[-1:])
        by_id["TagFilters"] = [{"TagKey": "a", "TagValues": ["b"]}]
        found = self.ask(self.mqtt, "DescribeInstanceList", by_id)
        check("instance by tag", found.Data, [])
        for instance, mode in self.case["instances"]:
            one = self.ask(self.mqtt, "DescribeInstance", {"InstanceId": instance})
            check("one instance", (one.InstanceId, one.X509Mode), (instance, mode))
            check("its time in seconds", len(str(one.CreatedTime)), 10)
        self.refused("no such instance", "ResourceNotFound.Instance", self.mqtt, "DescribeInstance",
                     {"InstanceId": "mqtt-none"})

    # SSL

    def certificates(self):
        wanted = self.case["certificates"]
        found = self.ask(self.ssl, "DescribeCertificates", {"Limit": 5000, "Offset": 0})
        check("certificates: total", found.TotalCount, len(wanted))
        check("Limit is clamped at 1000", len(found.Certificates), min(1000, len(wanted)))
        rows = [[item.CertificateId, earliest(item), str(item.Status), item.Domain] for item in found.Certificates]
        check("certificates", sorted(rows, key=str), sorted(wanted, key=str))
        for item in found.Certificates:
            check("ValidityPeriod is a string", type(item.ValidityPeriod), str)
            check("names hold the domain", item.Domain in item.SubjectAltName, True)
            check("an issued certificate", item.Status not in (1, 3) or item.CertBeginTime is not None, True)
        applied = [item.InsertTime for item in found.Certificates]
        check("latest application first", applied, sorted(applied, reverse=True))
        check("Limit is 10 by default", len(self.ask(self.ssl, "DescribeCertificates", {}).Certificates), 10)

    def certificate_filters(self):
        everything = self.ask(self.ssl, "DescribeCertificates", {"Limit": 1000}).Certificates
        ids = lambda items: sorted(item.CertificateId for item in items)

        def same(what, parameters, keep):
            found = self.ask(self.ssl, "DescribeCertificates", {"Limit": 1000, **parameters})
            wanted = [item for item in everything if keep(item)]
            check(what, (ids(found.Certificates), found.TotalCount), (ids(wanted), len(wanted)))

        same("CertificateStatus", {"CertificateStatus": [1, 3]}, lambda it: it.Status in (1, 3))
        same("CertificateType CA", {"CertificateType": "CA"}, lambda it: it.CertificateType == "CA")
        same("CertificateType SVR", {"CertificateType": "SVR"}, lambda it: it.CertificateType.upper() == "SVR")
        same("ProjectId", {"ProjectId": 1}, lambda it: it.ProjectId == "1")
        same("FilterSource", {"FilterSource": "upload"}, lambda it: it.From == "upload")
        same("Upload", {"Upload": 1}, lambda it: it.From == "upload")
        same("Renew", {"Renew": 1}, lambda it: it.RenewAble)
        same("Deployable", {"Deployable": 0}, lambda it: not it.Deployable)
        same("FilterExpiring", {"FilterExpiring": 1}, lambda it: it.IsExpiring)
        same("IsSM", {"IsSM": 1}, lambda it: it.IsSM)
        same("Tags", {"Tags": [{"TagKey": "team", "TagValue": "web"}]}, lambda it: True)
        same("no such tag", {"Tags": [{"TagKey": "team", "TagValue": "x"}]}, lambda it: False)
        key = everything[0].Domain
        same("SearchKey", {"SearchKey": key}, lambda it: key in (it.Domain + it.Alias + it.CertificateId))
        some = ids(everything)[:3]
        same("CertIds", {"CertIds": some}, lambda it: it.CertificateId in some)
        for direction in ("ASC", "DESC"):
            found = self.ask(self.ssl, "DescribeCertificates",
                             {"Limit": 1000, "ExpirationSort": direction, "CertificateStatus": [3]})
            ends = [item.CertEndTime for item in found.Certificates]
            check("ExpirationSort", ends, sorted(ends, reverse=direction == "DESC"))
        page = self.ask(self.ssl, "DescribeCertificates", {"Limit": 5, "Offset": 5})
        check("second page", ids(page.Certificates), ids(everything[5:10]))
        self.refused("CertificateType", "InvalidParameter", self.ssl, "DescribeCertificates",
                     {"CertificateType": "SERVER"})
        self.refused("51 certificates", "InvalidParameter.CertificateIdNumberLimit", self.ssl,
                     "DescribeCertificates", {"CertIds": [str(n) for n in range(51)]})

    # Who asks

    def credentials(self):
        case = self.case
        calls = (
            (MqttClient, "mqtt", case["region"], "DescribeInstanceList"),
            (SslClient, "ssl", "", "DescribeCertificates"),
        )
        temporary = {"id": case["temporary_id"], "key": case["temporary_key"]}
        for kind, service, region, action in calls:
            for what, code, other in (
                ("wrong key", "AuthFailure.SignatureFailure", {"key": "wrong"}),
                ("unknown id", "AuthFailure.SecretIdNotFound", {"id": "AKIDnobody"}),
                ("no token", "AuthFailure.TokenFailure", temporary),
                ("wrong token", "AuthFailure.TokenFailure", {**temporary, "token": "x"}),
                ("token of a static key", "AuthFailure.TokenFailure", {"token": case["token"]}),
            ):
                self.refused(what, code, self.client(kind, service, region, **other), action, {})
            good = self.client(kind, service, region, **temporary, token=case["token"])
            check("temporary credentials", bool(self.ask(good, action, {}).RequestId), True)

    def common(self):
        for what, code, client, action in (
            ("no region", "MissingParameter", self.client(MqttClient, "mqtt", ""), "DescribeInstanceList"),
            ("no such region", "UnsupportedRegion", self.client(MqttClient, "mqtt", "mars-1"),
             "DescribeInstanceList"),
            ("no such action", "InvalidAction", self.mqtt, "DescribeTopicList"),
            ("private keys", "InvalidAction", self.ssl, "DescribeCertificateDetail"),
        ):
            self.refused(what, code, client, action, {})
        elsewhere = self.client(MqttClient, "mqtt", "ap-shanghai")
        check("another region", self.ask(elsewhere, "DescribeInstanceList", {}).Data, [])
        self.refused("an instance of another region", "ResourceNotFound.Instance", elsewhere,
                     "DescribeDeviceCertificates", {"InstanceId": self.case["instance"]})
        old = self.client(MqttClient, "mqtt", self.case["region"])
        old._apiVersion = "2020-01-01"
        self.refused("no such version", "NoSuchVersion", old, "DescribeInstanceList", {})
        unsigned = self.client(MqttClient, "mqtt", self.case["region"])
        unsigned.profile.unsignedPayload = True
        check("unsigned payload", bool(self.ask(unsigned, "DescribeInstanceList", {}).RequestId), True)
        self.refused_raw("UnknownParameter", '{"Instance": "x"}')
        self.refused_raw("InvalidRequest", '{"InstanceId": ')

    def refused_raw(self, code, body):
        """Refused for its very body: the SDK's own serialisation is replaced by the text."""
        shim = types.SimpleNamespace(dumps=lambda _: body, loads=json.loads)
        abstract_client.json = shim
        try:
            self.mqtt.call("DescribeDeviceCertificates", {})
        except TencentCloudSDKException as error:
            check(code, error.get_code(), code)
        else:
            check(code, "no error", code)
        finally:
            abstract_client.json = json

    def clock(self):
        for seconds, code in ((-301 - 5, "AuthFailure.SignatureExpire"), (306, "AuthFailure.SignatureExpire"),
                              (-290, None), (290, None)):
            real = abstract_client.time.time
            abstract_client.time = types.SimpleNamespace(time=lambda: real() + seconds)
            try:
                self.ask(self.mqtt, "DescribeInstanceList", {})
                check(f"clock {seconds}", None, code)
            except TencentCloudSDKException as error:
                check(f"clock {seconds}", error.get_code(), code)
            finally:
                import time
                abstract_client.time = time

    def throttled(self):
        instance = {"InstanceId": self.case["instance"]}
        for action, parameters in (
            ("DescribeDeviceCertificates", instance),
            ("DescribeDeviceCertificate", {**instance, "DeviceCertificateSn": "0" * 40}),
            ("DescribeCaCertificates", instance),
            ("DescribeInstanceList", {}),
            ("DescribeInstance", instance),
        ):
            self.refused(action, "RequestLimitExceeded", self.mqtt, action, parameters)
        self.refused("ssl", "LimitExceeded.RateLimitExceeded", self.ssl, "DescribeCertificates", {})


def row(item):
    """A device certificate as the simulator's truth has it; an end that is 0, null or absent is None."""
    return [item.CaSn, item.DeviceCertificateSn, item.NotAfterTime // 1000 if item.NotAfterTime else None,
            item.Status, item.ClientId, item.DeviceCertificateCn, item.OrganizationalUnit or ""]


def device_fields(item):
    check("serial", (len(item.DeviceCertificateSn), len(item.CaSn)), (40, 40))
    check("format", item.Format, "PEM")
    check("source", item.CertificateSource in ("API", "JITP", None), True)
    lines = item.DeviceCertificate.split("\n")
    check("PEM", (lines[0], lines[-2:]), ("-----BEGIN CERTIFICATE-----", ["-----END CERTIFICATE-----", ""]))
    check("PEM lines", all(len(line) == 64 for line in lines[1:-3]), True)
    times = (item.CreatedTime, item.UpdateTime, item.LastActivationTime, item.NotBeforeTime)
    check("times are milliseconds", all(len(str(time)) == 13 for time in times), True)
    check("never is 0", item.LastInactivationTime == 0 or item.Status == "INACTIVE", True)


def earliest(item):
    texts = [item.CertEndTime] + (item.CAEndTimes or [])
    ends = [end for end in map(seconds, texts) if end is not None]
    return min(ends) if ends else None


def seconds(text):
    text = (text or "").strip()
    if text in ("", "--") or text.startswith("0000"):
        return None
    east = datetime.timezone(datetime.timedelta(hours=8))
    return int(datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=east).timestamp())


def drive(case):
    judge = Judge(case)
    for part in (judge.device_pages, judge.device_paging, judge.device_filters, judge.device_refusals,
                 judge.device_points, judge.authorities, judge.instances, judge.certificates,
                 judge.certificate_filters, judge.credentials, judge.common, judge.clock):
        part()


def sign():
    for line in sys.stdin:
        case = json.loads(line)
        held = credential.Credential(case["secret_id"], case["secret_key"], case.get("token"))
        http = HttpProfile(endpoint=case["host"])
        client = abstract_client.AbstractClient(held, case["region"], ClientProfile(httpProfile=http))
        client._service, client._apiVersion = case["service"], case["version"]
        abstract_client.time = types.SimpleNamespace(time=lambda: case["timestamp"])
        abstract_client.json = types.SimpleNamespace(dumps=lambda _: case["body"], loads=json.loads)
        request = RequestInternal(case["host"], "POST", "/", header={})
        client._build_req_with_tc3_signature(case["action"], {}, request)
        print(json.dumps(request.header), flush=True)


def main():
    mode = sys.argv[1]
    if mode == "sign":
        return sign()
    case = json.load(sys.stdin)
    if mode == "throttled":
        Judge(case).throttled()
    else:
        drive(case)
    for line in wrong[:20]:
        print(line)
    print(f"judge: {checks} checks, {len(wrong)} wrong" if wrong else f"judge: {checks} checks")
    sys.exit(1 if wrong else 0)


main()
