"""Every cause of an AWS error is its own sentence. The answers are real HTTP, parsed by botocore as AWS's would be."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from botocore.config import Config

from chronos_training.core import aws
from chronos_training.core.errors import PermissionDenied, TrainingError, Unreachable
from chronos_training.core.wire import Answer, S3Wire, Unseen

KEYS = {"aws_access_key_id": "AKIAEXAMPLE", "aws_secret_access_key": "not-a-secret", "region_name": "us-east-1"}
ONE_TRY = Config(retries={"total_max_attempts": 1}, connect_timeout=1, read_timeout=1, s3={"addressing_style": "path"})


class Answering(ThreadingHTTPServer):
    """Answers every request with `status`, `headers` and `body`."""

    status, headers, body = 200, {}, b""
    daemon_threads = True


class _Handler(BaseHTTPRequestHandler):
    server: Answering

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(self.server.body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _answer

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answering]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Answering(("127.0.0.1", 0), _Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def client(server: Answering, name: str) -> Any:
    return boto3.client(name, endpoint_url=f"http://127.0.0.1:{server.server_port}", config=ONE_TRY, **KEYS)


def s3_error(code: str, message: str, extra: str = "") -> bytes:
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    return (
        f"{head}<Error><Code>{code}</Code><Message>{message}</Message>{extra}<RequestId>1</RequestId></Error>".encode()
    )


def ec2_error(code: str, message: str) -> bytes:
    inner = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return f"<?xml version='1.0'?><Response><Errors>{inner}</Errors><RequestID>1</RequestID></Response>".encode()


def from_s3(server: Answering, status: int, body: bytes, **headers: str) -> TrainingError:
    server.status, server.body = status, body
    server.headers = {"Content-Type": "application/xml"} | {k.replace("_", "-"): v for k, v in headers.items()}
    with pytest.raises(TrainingError) as raised, aws.explained("read s3://bucket/key"):
        client(server, "s3").get_object(Bucket="bucket", Key="key")
    return raised.value


def from_ec2(server: Answering, status: int, body: bytes) -> TrainingError:
    server.status, server.body, server.headers = status, body, {"Content-Type": "text/xml"}
    with pytest.raises(TrainingError) as raised, aws.explained("start a g4dn.2xlarge"):
        client(server, "ec2").run_instances(MinCount=1, MaxCount=1)
    return raised.value


def from_ssm(server: Answering, code: str, message: str) -> TrainingError:
    server.status, server.body = 400, f'{{"__type":"{code}","message":"{message}"}}'.encode()
    server.headers = {"Content-Type": "application/x-amz-json-1.1"}
    with pytest.raises(TrainingError) as raised, aws.explained("read the parameters"):
        client(server, "ssm").get_parameters_by_path(Path="/chronos-training/dev/")
    return raised.value


def test_expired_credentials(server: Answering) -> None:
    said = "your AWS credentials have expired"
    assert said in str(from_s3(server, 400, s3_error("ExpiredToken", "The provided token has expired.")))
    assert said in str(from_ec2(server, 400, ec2_error("RequestExpired", "Request has expired.")))
    error = from_ssm(server, "ExpiredTokenException", "The security token included in the request is expired")
    assert said in str(error) and "Sign in again" in error.hint


def test_credentials_that_aws_does_not_know(server: Answering) -> None:
    message = "AWS was not able to validate the provided access credentials"
    for error in (
        from_s3(server, 403, s3_error("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist.")),
        from_ec2(server, 401, ec2_error("AuthFailure", message)),
        from_ssm(server, "UnrecognizedClientException", "The security token included in the request is invalid."),
    ):
        assert "AWS does not accept these credentials" in str(error)
        assert not isinstance(error, PermissionDenied)


def test_a_wrong_clock(server: Answering) -> None:
    times = "<RequestTime>20261122T010000Z</RequestTime><ServerTime>2026-11-22T03:00:00Z</ServerTime>"
    message = "The difference between the request time and the current time is too large."
    error = from_s3(server, 403, s3_error("RequestTimeTooSkewed", message, times))
    assert "this machine's clock is wrong" in str(error)
    assert "here 20261122T010000Z, at AWS 2026-11-22T03:00:00Z" in str(error)
    assert "timedatectl" in error.hint
    message = "Signature expired: 20261122T010000Z is now earlier than 20261122T025500Z (20261122T030000Z - 5 min.)"
    assert "this machine's clock is wrong" in str(from_ssm(server, "InvalidSignatureException", message))


def test_a_missing_permission_says_who_what_and_where(server: Answering) -> None:
    who = "arn:aws:sts::123456789012:assumed-role/dev/ann"
    instance = "arn:aws:ec2:us-east-1:123456789012:instance/*"
    message = (
        f"You are not authorized to perform this operation. User: {who} is not authorized to perform: "
        f"ec2:RunInstances on resource: {instance} because no identity-based policy allows the ec2:RunInstances action. "
        f"Encoded authorization failure message: {'x' * 900}"
    )
    error = from_ec2(server, 403, ec2_error("UnauthorizedOperation", message))
    assert isinstance(error, PermissionDenied)
    assert str(error) == (
        f"Could not start a g4dn.2xlarge: missing permission: {who} may not ec2:RunInstances on {instance}, "
        "because no identity-based policy allows the ec2:RunInstances action (UnauthorizedOperation)."
    )
    message = (
        f"User: {who} is not authorized to perform: s3:GetObject on resource: &quot;arn:aws:s3:::bucket/key&quot; "
        "with an explicit deny in a resource-based policy"
    )
    said = str(from_s3(server, 403, s3_error("AccessDenied", message)))
    assert (
        "may not s3:GetObject on arn:aws:s3:::bucket/key, with an explicit deny in a resource-based policy (AccessDenied)."
        in said
    )
    message = (
        f"User: {who} is not authorized to perform: ssm:GetParametersByPath on resource: arn:aws:ssm:us-east-1:1:p"
    )
    said = str(from_ssm(server, "AccessDeniedException", message))
    assert said.endswith("may not ssm:GetParametersByPath on arn:aws:ssm:us-east-1:1:p (AccessDeniedException).")


def test_a_denial_without_a_reason_names_the_call(server: Answering) -> None:
    assert "AWS denied GetObject" in str(from_s3(server, 403, s3_error("AccessDenied", "Access Denied")))
    server.status, server.body, server.headers = 403, b"", {}
    with pytest.raises(PermissionDenied, match="AWS denied HeadObject"), aws.explained("look at s3://bucket/key"):
        client(server, "s3").head_object(Bucket="bucket", Key="key")


def test_a_missing_bucket(server: Answering) -> None:
    body = s3_error("NoSuchBucket", "The specified bucket does not exist", "<BucketName>bucket</BucketName>")
    error = from_s3(server, 404, body)
    assert "the bucket bucket does not exist" in str(error)
    assert "make provision" in error.hint


def test_a_bucket_in_another_region(server: Answering) -> None:
    body = s3_error("IllegalLocationConstraintException", "The eu-west-1 location constraint is incompatible")
    assert "the bucket is in another region" in str(from_s3(server, 400, body))
    message = "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'"
    body = s3_error("AuthorizationHeaderMalformed", message, "<Region>eu-west-1</Region>")
    error = from_s3(server, 400, body)
    assert "the bucket is in eu-west-1" in str(error) and "training_region" in error.hint


def test_an_endpoint_that_cannot_be_reached(server: Answering) -> None:
    closed = boto3.client("s3", endpoint_url="http://127.0.0.1:9", config=ONE_TRY, **KEYS)
    with pytest.raises(Unreachable, match="AWS cannot be reached"), aws.explained("list the runs"):
        closed.list_objects_v2(Bucket="bucket")


def test_a_fault_of_aws_and_too_many_requests_are_passing(server: Answering) -> None:
    error = from_ec2(server, 503, ec2_error("RequestLimitExceeded", "Request limit exceeded."))
    assert isinstance(error, Unreachable) and "throttling" in str(error)
    error = from_s3(server, 500, s3_error("InternalError", "We encountered an internal error. Please try again."))
    assert isinstance(error, Unreachable) and "an internal error (InternalError" in str(error)


def test_no_credentials_and_no_region(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    session = boto3.session.Session()
    with pytest.raises(TrainingError, match="there are no AWS credentials"), aws.explained("list the instances"):
        session.client("ec2", region_name="us-east-1").describe_instances()
    with pytest.raises(TrainingError, match="no usable AWS region"), aws.explained("list the instances"):
        session.client("ec2")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(TrainingError, match=r"profile \(nobody\).*Check AWS_PROFILE"), aws.explained("list"):
        boto3.session.Session().client("ec2", region_name="us-east-1")


def test_the_state_file_says_the_same_and_cannot_see_is_not_gone(server: Answering) -> None:
    """The lock's own path: a 403 may hide an absent key, but never a wrong clock; a 503 says nothing at all."""
    wire = S3Wire(client(server, "s3"), "bucket", "dev/system-state.json")
    server.headers = {"Content-Type": "application/xml"}
    server.status, server.body = 403, s3_error("RequestTimeTooSkewed", "The difference is too large.")
    with pytest.raises(TrainingError, match=r"Could not read s3://bucket/dev/system-state.json: this machine's clock"):
        wire.get()
    server.status, server.body = 404, s3_error("NoSuchBucket", "The specified bucket does not exist")
    with pytest.raises(TrainingError, match="does not exist"):
        wire.get()
    server.status, server.body = 503, s3_error("SlowDown", "Please reduce your request rate.")
    with pytest.raises(Unseen):
        wire.get()


def test_a_write_that_is_denied_is_told_in_the_stores_own_words(server: Answering) -> None:
    message = "User: arn:aws:iam::1:user/ann is not authorized to perform: s3:PutObject on resource: x"
    server.status, server.body = 403, s3_error("AccessDenied", message)
    server.headers = {"Content-Type": "application/xml"}
    wire = S3Wire(client(server, "s3"), "bucket", "dev/system-state.json")
    assert wire.put(b"{}", None)[0] is Answer.DENIED
    assert wire.refusal == f"AccessDenied: {message}"


def test_a_state_file_behind_a_closed_port_is_unseen_and_a_write_to_it_unresolved() -> None:
    closed = boto3.client("s3", endpoint_url="http://127.0.0.1:9", config=ONE_TRY, **KEYS)
    wire = S3Wire(closed, "bucket", "dev/system-state.json")
    with pytest.raises(Unseen):
        wire.get()
    assert wire.put(b"{}", None) == (Answer.UNKNOWN, "")
