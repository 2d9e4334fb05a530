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

import json
import sys

import sdk
from access import Access
from certificates import Certificates
from devices import Devices
from instances import Instances
from signing import sign


def main():
    mode = sys.argv[1]
    if mode == "sign":
        return sign()
    case = json.load(sys.stdin)
    if mode == "throttled":
        Access(case).throttled()
    else:
        for part in (Devices, Instances, Certificates, Access):
            part(case).judge()
    for line in sdk.wrong[:20]:
        print(line)
    print(f"judge: {sdk.checks} checks, {len(sdk.wrong)} wrong" if sdk.wrong else f"judge: {sdk.checks} checks")
    sys.exit(1 if sdk.wrong else 0)


main()
