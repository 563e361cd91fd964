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
from chronos_training.agent import wrong_clock
if sys.argv[1] == "correct":
    wrong_clock.correct_when_refused()
s3 = aws.client("s3", region="us-east-1", config=STATE_CONFIG)  # the state store's: no retries of botocore's own
if sys.argv[2:]:
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(int(sys.argv[2])) as pool:
        list(pool.map(lambda number: s3.get_object(Bucket="b", Key=str(number)), range(int(sys.argv[2]))))
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
        if not good and self.server.meeting is not None:
            self.server.meeting.wait(30)  # all of them are refused before any is sent again
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
    server.answers, server.meeting = [], None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def run(endpoint, mode, *more):
    environment = {
        **os.environ, "PYTHONPATH": str(REPOSITORY_ROOT / "training/src"), "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y", "AWS_ENDPOINT_URL": f"http://127.0.0.1:{endpoint.server_address[1]}",
    }  # fmt: skip
    done = subprocess.run([sys.executable, "-c", PROGRAM, mode, *more], env=environment, capture_output=True, text=True)
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


def test_all_that_are_refused_at_the_same_time_are_sent_again(endpoint):
    endpoint.meeting = threading.Barrier(5)
    assert run(endpoint, "correct", "5")["body"] == "content"
    assert endpoint.answers[:5] == [("GET", 403)] * 5
    assert endpoint.answers[5:] == [("GET", 200)] * 6 + [("PUT", 200)]
