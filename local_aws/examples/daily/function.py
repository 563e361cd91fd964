"""Decides whether there is anything to do: not on Saturdays and Sundays."""

from datetime import datetime


def handler(event: dict[str, str], context: object) -> dict[str, object]:
    print("asked for", event["time"])
    moment = datetime.fromisoformat(event["time"].replace("Z", "+00:00"))
    return {"time": event["time"], "open": moment.weekday() < 5}
