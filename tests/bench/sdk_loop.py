"""What a user would write instead: a loop over the official SDK that feeds prometheus_client, one gauge a certificate.

Prints one JSON line: rows, seconds, cpu_seconds, rss_mib, scrape_seconds, scrape_bytes.
"""

import json
import resource
import sys
import time

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from tencentcloud.common import credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.mqtt.v20240516 import models, mqtt_client


def main() -> None:
    endpoint, secret_id, secret_key, instance = sys.argv[1:5]
    profile = ClientProfile(httpProfile=HttpProfile(protocol="http", endpoint=endpoint))
    client = mqtt_client.MqttClient(credential.Credential(secret_id, secret_key), "ap-guangzhou", profile)
    registry = CollectorRegistry()
    gauge = Gauge(
        "device_certificate_not_after_timestamp_seconds", "End of the certificate.",
        ["instance_id", "ca", "serial", "client"], registry=registry,
    )
    started, before, rows, offset = time.monotonic(), cpu(), 0, 0
    while True:
        request = models.DescribeDeviceCertificatesRequest()
        request.InstanceId = instance
        request.Limit, request.Offset, request.OrderBy = 100, offset, "CREATE_TIME_ASC"
        response = client.DescribeDeviceCertificates(request)
        for item in response.Data:
            if not item.NotAfterTime:
                continue
            gauge.labels(instance, item.CaSn, item.DeviceCertificateSn, item.ClientId).set(item.NotAfterTime / 1000)
        rows += len(response.Data)
        offset += 100
        if offset >= response.TotalCount:
            break
    seconds, used = time.monotonic() - started, cpu() - before
    scrape = time.monotonic()
    body = generate_latest(registry)
    print(json.dumps({
        "rows": rows, "seconds": seconds, "cpu_seconds": used,
        "rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "scrape_seconds": time.monotonic() - scrape, "scrape_bytes": len(body),
    }))


def cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


main()
