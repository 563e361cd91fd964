"""Carry what the topic says into a Slack channel.

The channel's webhook is a password, so it lies in a secret and is never written into a log or an exception. Without one nothing is sent.
Slack limits messages of a webhook to about one a second and answers 429 beyond it: https://docs.slack.dev/apis/web-api/rate-limits
What is not delivered raises, so that Lambda tries the event again twice, minutes later.
"""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from typing import Any

import boto3

ATTEMPTS, PAUSE_SECONDS, TIMEOUT_SECONDS = 3, 1.0, 5.0
MARKS = {"ALARM": ":red_circle:", "OK": ":large_green_circle:"}


class NotDelivered(Exception):
    """Slack did not take the message. Says why, without the webhook."""


def handler(event: dict[str, Any], _context: object) -> dict[str, int]:
    """Send each message of the event; return how many were sent."""
    webhook = _webhook()
    if not webhook:
        print("No webhook is stored: nothing is sent to Slack.")
        return {"sent": 0}
    messages = [text(record["Sns"]) for record in event["Records"]]
    for message in messages:
        _send(webhook, message)
    print(f"Sent to Slack: {len(messages)}.")
    return {"sent": len(messages)}


def text(notification: dict[str, Any]) -> str:
    """Return what people read: of an alarm its state, since when, why, and what its description tells to do."""
    message = notification["Message"]
    try:
        alarm = json.loads(message)
        state, name = alarm["NewStateValue"], alarm["AlarmName"]
        head = f"{MARKS.get(state, '')} *{state}: {_plain(name)}* since {_plain(alarm['StateChangeTime'])}"
        parts = [head, _plain(alarm.get("AlarmDescription") or ""), f"_{_plain(alarm['NewStateReason'])}_"]
        return "\n".join(part for part in parts if part)
    except (ValueError, TypeError, KeyError):  # not an alarm: a rule or the budget speaks
        return f"*{_plain(notification.get('Subject') or 'Volatility')}*\n{_plain(message)}"


def _plain(words: str) -> str:
    """https://docs.slack.dev/messaging/formatting-message-text#escaping"""
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _webhook() -> str:
    secrets = boto3.client("secretsmanager")
    try:
        return str(secrets.get_secret_value(SecretId=os.environ["VOLATILITY_WEBHOOK_SECRET"])["SecretString"]).strip()
    except secrets.exceptions.ResourceNotFoundException:  # the secret has no value yet
        return ""


def _send(webhook: str, message: str) -> None:
    body = json.dumps({"text": message}).encode()
    for attempt in range(1, ATTEMPTS + 1):
        why, again = _post(webhook, body)
        if not why:
            return
        print(f"Slack, attempt {attempt}: {why}")
        if not again:
            break
        time.sleep(PAUSE_SECONDS * attempt)
    raise NotDelivered(f"Slack: {why}. A webhook that was revoked is replaced by storing a new one in the secret.")


def _post(webhook: str, body: bytes) -> tuple[str, bool]:
    """Return what went wrong, empty if nothing did, and whether to try again."""
    try:
        request = urllib.request.Request(webhook, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):
            return "", False
    except urllib.error.HTTPError as error:
        return f"answered {error.code}", error.code == 429 or error.code >= 500
    except OSError as error:
        return f"cannot be reached ({type(error).__name__})", True
    except Exception as error:  # its words would show the webhook
        return f"the secret's value is no webhook ({type(error).__name__})", False
