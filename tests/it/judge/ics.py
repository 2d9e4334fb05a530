"""Reads a calendar strictly and prints its events as JSON."""

import json
import sys

from icalendar import Calendar

with open(sys.argv[1], "rb") as file:
    calendar = Calendar.from_ical(file.read())
assert calendar.name == "VCALENDAR" and str(calendar["VERSION"]) == "2.0"
assert not calendar.errors, calendar.errors
events = []
for event in calendar.walk("VEVENT"):
    assert not event.errors, event.errors
    days = (event["DTEND"].dt - event["DTSTART"].dt).days
    assert days == 1, days
    assert event["DTSTAMP"].dt.tzinfo is not None
    alarms = [alarm["TRIGGER"].dt.isoformat() for alarm in event.walk("VALARM")]
    events.append(
        {
            "uid": str(event["UID"]),
            "day": event["DTSTART"].dt.isoformat(),
            "summary": str(event["SUMMARY"]),
            "description": str(event["DESCRIPTION"]),
            "alarms": alarms,
        }
    )
json.dump(events, sys.stdout)
