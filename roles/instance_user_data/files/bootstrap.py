#!/usr/bin/env python3
"""Fetch the agent package from S3, verify its sha256, unpack it. Needs nothing but the image's own Python.

Credentials come from the instance's role (IMDSv2); requests are signed here (AWS Signature Version 4), so that the image
needs no AWS tool. Until the agent ships the logs, this does. `bootstrap.py look` is what the watcher's timer runs while
there is no agent, or when the agent's watcher failed.
"""

import hashlib
import hmac
import http.client
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from email.utils import parsedate_to_datetime
from pathlib import Path

ROOT = Path(os.environ.get("INSTANCE_ROOT") or "/")
BASE, STATE = ROOT / "opt/chronos-training", ROOT / "run/chronos-training"
LOGS = {
    "bootstrap.log": ROOT / "var/log/chronos-training/bootstrap.log",
    "console.log": ROOT / "var/log/cloud-init-output.log",
}
METADATA = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://169.254.169.254").rstrip("/")
# How long a network, a metadata service or a new role may take to come, and how long the watcher waits for all of it.
PATIENCE, WATCHER_PATIENCE = 600, 900
PYTHON = (3, 10)  # what the agent needs, by its boto3; this file starts with older ones too, to say so
ERRORS = (OSError, ValueError, http.client.HTTPException, subprocess.SubprocessError)
SECRET = re.compile(rb"\bA[KS]IA[A-Z0-9]{16}\b|(?i:(?:secret\w*key|token|signature)\W{1,6}(?:b')?)[\w/+=%-]{16,}")
clock_error = 0.0  # seconds that S3's clock is ahead of this machine's
setting = threading.Lock()


def call(url, method="GET", headers=None, body=None, timeout=20):
    # urllib would call a body a form.
    headers = {"Content-Type": "text/plain; charset=utf-8", **(headers or {})} if body else headers or {}
    request = urllib.request.Request(url, data=body, method=method, headers=headers)
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        return answer.read()


def metadata(path):
    ttl = {"X-aws-ec2-metadata-token-ttl-seconds": "300"}
    token = call(METADATA + "/latest/api/token", "PUT", ttl, timeout=3).decode()
    headers = {"X-aws-ec2-metadata-token": token}
    return call(METADATA + "/latest/meta-data/" + path, headers=headers, timeout=3).decode().strip()


def credentials():
    path = "iam/security-credentials/"
    return json.loads(metadata(path + metadata(path)))


def logs_prefix(run):
    """Return where this machine's logs go: of several instances each but the first has a folder."""
    number = metadata("ami-launch-index") if run["instances"] > 1 else "0"
    return "%s/logs/%s/%s" % (run["env"], run["run_id"], "" if number == "0" else "member-%s/" % number)


def object_url(run, key):
    quoted = urllib.parse.quote(key)
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if endpoint:
        return "%s/%s/%s" % (endpoint.rstrip("/"), run["bucket"], quoted)
    return "https://%s.s3.%s.amazonaws.com/%s" % (run["bucket"], run["region"], quoted)


def signed_headers(run, creds, method, url, body, now):
    """Return the headers of a signed S3 request; `now` is a struct_time in UTC."""
    stamp, day = time.strftime("%Y%m%dT%H%M%SZ", now), time.strftime("%Y%m%d", now)
    parts = urllib.parse.urlsplit(url)
    headers = {
        "host": parts.netloc,
        "x-amz-content-sha256": hashlib.sha256(body).hexdigest(),
        "x-amz-date": stamp,
        "x-amz-security-token": creds["Token"],
    }
    names = ";".join(sorted(headers))
    lines = "".join("%s:%s\n" % (name, headers[name]) for name in sorted(headers))
    canonical = "\n".join([method, parts.path, "", lines, names, headers["x-amz-content-sha256"]])
    scope = "%s/%s/s3/aws4_request" % (day, run["region"])
    to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + creds["SecretAccessKey"]).encode()
    for part in (day, run["region"], "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    headers["Authorization"] = "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s" % (
        creds["AccessKeyId"], scope, names, signature)  # fmt: skip
    return headers


def s3(run, method, key, body=b"", again=True):
    url = object_url(run, key)
    now = time.gmtime(time.time() + clock_error)
    try:
        return call(url, method, signed_headers(run, credentials(), method, url, body, now), body or None)
    except urllib.error.HTTPError as error:
        said = error.read(2000)
        if not again or b"RequestTimeTooSkewed" not in said:
            code = re.search(rb"<Code>(\w+)</Code>", said)
            raise OSError("S3 says %s %s to %s" % (error.code, code[1].decode() if code else "", key)) from error
        set_right(run, error.headers["Date"])
    return s3(run, method, key, body, again=False)


def set_right(run, date):
    """Take the time from S3. The system's clock too, if we may: other programs sign requests as well."""
    global clock_error
    with setting:  # the thread that stores the logs may be refused at the same time
        now = parsedate_to_datetime(date).timestamp()
        clock_error, forward = now - time.time(), now > time.time()
        if abs(clock_error) < 60:
            return
        print("bootstrap: this clock is %.0f s off S3's; using S3's time" % clock_error, flush=True)
        if Path("/") != ROOT:
            return
        # logind keeps the scheduled power-off by this clock. It has to stay as far away, and never come sooner in
        # between.
        left = run["poweroff_minutes"] - (time.monotonic() - booted_at()) / 60
        arm_power_off(left + max(0, clock_error) / 60)
        done = subprocess.run(["date", "-s", "@%d" % now], capture_output=True).returncode == 0
        if not (done and forward):
            arm_power_off(left)
        clock_error = 0.0 if done else clock_error


def arm_power_off(minutes):
    subprocess.run(["shutdown", "-h", "+%d" % (minutes + 1)], capture_output=True, timeout=20)


def ship_logs(run):
    """Store what has been logged so far; True when that worked."""
    try:
        prefix = logs_prefix(run)
        for name, path in LOGS.items():
            body = path.read_bytes()[-200000:] if path.exists() else b""
            if body:
                s3(run, "PUT", prefix + name, SECRET.sub(b"(masked)", body))
    except ERRORS as error:
        print("bootstrap: logs not stored: %s" % error, flush=True)
        return False
    return True


def keep_shipping(run):
    while not (BASE / "agent").exists():
        ship_logs(run)
        time.sleep(run["log_seconds"])


def fetch_agent(run):
    archive = s3(run, "GET", run["agent_key"])
    found = hashlib.sha256(archive).hexdigest()
    if found != run["agent_sha256"]:
        raise ValueError("sha256 of %s is %s, not %s" % (run["agent_key"], found, run["agent_sha256"]))
    path, partial, target = BASE / "agent.tar.gz", BASE / "agent.partial", BASE / "agent"
    path.write_bytes(archive)
    partial.mkdir(exist_ok=True)
    subprocess.run(["tar", "-xzf", str(path), "-C", str(partial)], check=True, timeout=120)
    partial.rename(target)  # whole or not at all: the watcher looks for this name


def booted_at():
    """Return the monotonic time of the first call since the boot: the deadline counts from it."""
    STATE.mkdir(parents=True, exist_ok=True)
    try:
        with (STATE / "booted_at").open("x") as note:
            note.write(str(time.monotonic()))
    except FileExistsError:
        pass
    return float((STATE / "booted_at").read_text() or time.monotonic())


def fetch(run):
    started, pause = booted_at(), 1
    print("bootstrap: run %s on %s" % (run["run_id"], os.uname().release), flush=True)
    if sys.version_info < PYTHON:
        found = "%d.%d" % tuple(sys.version_info[:2])
        print(
            "bootstrap: the agent needs Python %d.%d or newer, and this image's python3 is %s;" % (*PYTHON, found),
            end=" ",
        )
        print("name another image in training_launch_image_parameter. Ending the machine", flush=True)
        ship_logs(run)
        return 1
    threading.Thread(target=keep_shipping, args=(run,), daemon=True).start()
    while True:
        try:
            fetch_agent(run)
            return 0
        except ERRORS as error:
            print("bootstrap: %s" % error, flush=True)
        # A corrupt agent does not mend itself either, but somebody may publish it again; ten minutes cost little.
        if time.monotonic() - started > PATIENCE:
            print("bootstrap: giving up", flush=True)
            ship_logs(run)
            return 1
        time.sleep(pause)
        pause = min(20, pause * 2)


def look(run):
    """End the machine when the bootstrap is dead or too slow, or when pipeline and watcher are both broken."""
    agent, tries = (BASE / "agent").exists(), STATE / "failed_looks"
    age = -booted_at() + time.monotonic()
    dead = subprocess.run(["systemctl", "is-failed", "--quiet", "chronos-training.service"], timeout=20).returncode == 0
    if agent:
        # The watcher failed just now. One failure may pass; a run that is dead needs somebody who ends it.
        tries.write_text(tries.read_text() + "x" if tries.exists() else "x")
        reason = "pipeline and watcher do not work" if dead and len(tries.read_text()) >= 3 else ""
    else:
        reason = "the bootstrap died" if dead else "no agent came" if age > WATCHER_PATIENCE else ""
    if reason:
        print("bootstrap: %s; ending the machine" % reason, flush=True)
        ship_logs(run)
        switch_off()
    return 0


def switch_off():
    for words in ("shutdown -h now", "systemctl poweroff --force", "systemctl poweroff -f -f"):
        try:
            if subprocess.run(words.split(), timeout=20).returncode == 0:
                return
        except ERRORS as error:
            print("bootstrap: %s: %s" % (words, error), flush=True)


if __name__ == "__main__":
    told = json.loads((BASE / "run.json").read_text())
    sys.exit(look(told) if sys.argv[1:] == ["look"] else fetch(told))
