#!/usr/bin/env python3
"""Fetch the agent package from S3, verify its sha256, unpack it. Needs nothing but the image's own Python (3.9+).

Credentials come from the instance's role (IMDSv2); the request is signed here (AWS Signature Version 4), so that the
image needs no AWS tool. On failure the bootstrap log goes to S3 and the exit code is 1.
"""

import hashlib
import hmac
import http.client
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(os.environ.get("INSTANCE_ROOT") or "/")
BASE = ROOT / "opt/chronos-training"
LOG = ROOT / "var/log/chronos-training/bootstrap.log"
METADATA = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://169.254.169.254").rstrip("/")
ATTEMPTS = 8


def call(url, method="GET", headers=None, body=None, timeout=60):
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        return answer.read()


def credentials():
    ttl = {"X-aws-ec2-metadata-token-ttl-seconds": "300"}
    token = call(METADATA + "/latest/api/token", "PUT", ttl, timeout=3).decode()
    headers = {"X-aws-ec2-metadata-token": token}
    path = METADATA + "/latest/meta-data/iam/security-credentials/"
    role = call(path, headers=headers, timeout=3).decode().strip()
    return json.loads(call(path + role, headers=headers, timeout=3))


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


def s3(run, method, key, body=b""):
    url = object_url(run, key)
    headers = signed_headers(run, credentials(), method, url, body, time.gmtime())
    return call(url, method, headers, body or None)


def fetch_agent(run):
    archive = s3(run, "GET", run["agent_key"])
    found = hashlib.sha256(archive).hexdigest()
    if found != run["agent_sha256"]:
        raise ValueError("sha256 of %s is %s, not %s" % (run["agent_key"], found, run["agent_sha256"]))
    path, partial, target = BASE / "agent.tar.gz", BASE / "agent.partial", BASE / "agent"
    path.write_bytes(archive)
    partial.mkdir(exist_ok=True)
    subprocess.run(["tar", "-xzf", str(path), "-C", str(partial)], check=True)
    partial.rename(target)  # whole or not at all: the watcher looks for this name


def main():
    run = json.loads((BASE / "run.json").read_text())
    for attempt in range(ATTEMPTS):
        try:
            fetch_agent(run)
            return 0
        except (OSError, ValueError, http.client.HTTPException, subprocess.CalledProcessError) as error:
            # A new role takes some seconds to work, and so may the network: the error is final only after all attempts.
            print("bootstrap: %s" % error, flush=True)
            time.sleep(min(20, 2**attempt))
    print("bootstrap: giving up", flush=True)
    try:
        s3(run, "PUT", "%s/logs/%s/bootstrap.log" % (run["env"], run["run_id"]), LOG.read_bytes())
    except (OSError, ValueError, http.client.HTTPException) as error:
        print("bootstrap: log not stored: %s" % error, flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
