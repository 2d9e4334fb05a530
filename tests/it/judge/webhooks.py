"""The official libraries of Standard Webhooks and of CloudEvents, as judges of what the daemon posts.

Reads JSON lines from standard input, each a request as it was on the wire:

    {"secret": "whsec_…", "headers": {"name": "value", …}, "body": "<exact text>", "format": "cloudevents" or null}

and prints, for each, the number of events in it, or what is wrong.
"""

import json
import sys

from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from standardwebhooks.webhooks import Webhook


def events(headers, body):
    """Returns the events of a request: one in structured mode, several as a batch."""
    if headers["content-type"].startswith("application/cloudevents-batch+json"):
        kind = {"content-type": "application/cloudevents+json"}
        return [from_http_event(HTTPMessage(kind, json.dumps(one).encode())) for one in json.loads(body)]
    return [from_http_event(HTTPMessage(headers, body.encode()))]


def judge(case):
    """Verifies the signature, and reads the events where there are any."""
    Webhook(case["secret"]).verify(case["body"], case["headers"])
    if case["format"] != "cloudevents":
        return "1"
    read = events(case["headers"], case["body"])
    for event in read:
        for name in (event.get_id(), event.get_type(), event.get_source(), event.get_subject()):
            assert name, "an attribute is empty"
        assert event.get_time().tzinfo is not None, "the time has no zone"
        assert event.get_data()["schema"] == "notafter.event/1", "the data is not an event"
    return str(len(read))


for line in sys.stdin:
    try:
        print(judge(json.loads(line)), flush=True)
    except Exception as error:  # what the libraries refuse is the verdict
        print(f"{type(error).__name__}: {error}", flush=True)
