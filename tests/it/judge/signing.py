"""The headers that the SDK makes, for requests that are given."""

import json
import sys
import types

from tencentcloud.common import abstract_client, credential
from tencentcloud.common.http.request import RequestInternal
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile


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
