"""Who may ask, how a request has to be made, what is refused for being too much."""

import json
import time
import types

from tencentcloud.common import abstract_client
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.mqtt.v20240516.mqtt_client import MqttClient
from tencentcloud.ssl.v20191205.ssl_client import SslClient

from sdk import Caller, check


class Access(Caller):
    def judge(self):
        self.credentials()
        self.common()
        self.clock()

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
