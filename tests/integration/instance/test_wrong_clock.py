"""An S3 that refuses signatures more than 15 minutes off its own time, as the real one does (the emulator does not)."""

from __future__ import annotations

import http.server
import json
import os
import re
import subprocess
import sys
import threading
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest

from local_aws.home import REPOSITORY_ROOT

SKEW = timedelta(hours=2)
REFUSAL = "<Error><Code>RequestTimeTooSkewed</Code><Message>The difference is too large.</Message></Error>"
PROGRAM = """
import json, sys
from chronos_training.core import aws
from chronos_training.core.clock import utc_now
from chronos_training.core.wire import STATE_CONFIG
from chronos_training.instance import wrong_clock
if sys.argv[1] == "correct":
    wrong_clock.correct_when_refused()
s3 = aws.client("s3", region="us-east-1", config=STATE_CONFIG)  # the state store's: no retries of botocore's own
try:
    body = s3.get_object(Bucket="b", Key="k")["Body"].read().decode()
    s3.put_object(Bucket="b", Key="k", Body=b"written")
except Exception as error:
    body = str(error)
print(json.dumps({"body": body, "now": utc_now().timestamp()}))
"""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        now = datetime.now(timezone.utc) + SKEW
        stamp = datetime.strptime(self.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
        scope = re.search(r"Credential=[^/]+/(\d{8})/", self.headers["Authorization"])
        good = abs(now - stamp) < timedelta(minutes=15) and scope and scope[1] == stamp.strftime("%Y%m%d")
        self.server.answers.append((self.command, 200 if good else 403))
        body = (b"content" if self.command == "GET" else b"") if good else REFUSAL.encode()
        self.send_response_only(200 if good else 403)
        self.send_header("Date", format_datetime(now, usegmt=True))
        self.send_header("Last-Modified", format_datetime(now, usegmt=True))
        self.send_header("ETag", '"x"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = _answer

    def log_message(self, *words):
        pass


@pytest.fixture
def endpoint():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.answers = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def run(endpoint, mode):
    environment = {
        **os.environ, "PYTHONPATH": str(REPOSITORY_ROOT / "training/src"), "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y", "AWS_ENDPOINT_URL": f"http://127.0.0.1:{endpoint.server_address[1]}",
    }  # fmt: skip
    done = subprocess.run([sys.executable, "-c", PROGRAM, mode], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_botocore_alone_stays_refused(endpoint):
    assert "RequestTimeTooSkewed" in run(endpoint, "leave")["body"]


def test_the_time_is_taken_from_the_refusal_and_the_records_get_it_too(endpoint):
    said = run(endpoint, "correct")
    assert said["body"] == "content"
    assert endpoint.answers == [("GET", 403), ("GET", 200), ("PUT", 200)]
    now = (datetime.now(timezone.utc) + SKEW).timestamp()
    assert abs(said["now"] - now) < 60
