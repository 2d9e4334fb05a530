"""Calls with the SDK, and a count of what is as it should be and what is not."""

import json

from tencentcloud.common import credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
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


class Caller:
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
