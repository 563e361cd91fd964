"""No credential leaves the machine in a log, and nothing else is touched."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from chronos_training.agent.masking import MASK, mask, mask_text

KEY_ID, SECRET = "ASIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJHMEUCIQD="
BOOTSTRAP = Path(__file__).parents[3] / "roles/instance_user_data/files/bootstrap.py"

SECRETS = [
    (f"using key {KEY_ID} of the role", KEY_ID),
    ("AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
    (f"aws_secret_access_key = {SECRET}", SECRET),
    (f"{{'SecretAccessKey': '{SECRET}', 'Token': 'x'}}", SECRET),
    (f'"SecretAccessKey" : "{SECRET}"', SECRET),
    (f"AWS_SECRET_ACCESS_KEY={SECRET} AWS_SESSION_TOKEN={TOKEN}", SECRET),
    (f"AWS_SECRET_ACCESS_KEY={SECRET} AWS_SESSION_TOKEN={TOKEN}", TOKEN),
    (f'{{"Token" : "{TOKEN}"}}', TOKEN),
    (f"x-amz-security-token: {TOKEN}", TOKEN),
    (f"{{'X-Amz-Security-Token': b'{TOKEN}'}}", TOKEN),
    ("Authorization: AWS4-HMAC-SHA256 Credential=ASIAX/20260101/us-east-1/s3/aws4_request, Signature=0f1e2d3c", "0f1e2d3c"),
    ("authorization: Bearer abcdefgh12345678", "abcdefgh12345678"),
    ("curl -H 'Authorization: Basic dXNlcjpwYXNzd29yZA=='", "dXNlcjpwYXNzd29yZA=="),
    ("GET https://b.s3.amazonaws.com/k?X-Amz-Credential=ASIAY%2F2026&X-Amz-Signature=deadbeef01&x=1", "deadbeef01"),
    (f"https://b.s3.amazonaws.com/k?X-Amz-Security-Token={TOKEN}", TOKEN),
    ("https://b.s3.amazonaws.com/k?AWSAccessKeyId=X&Signature=vjbyPxybdZaNmGa%2ByT272YEAiv4%3D&Expires=1", "vjbyPxybdZaNmGa"),
    ("pip: https://user:hunter22@pypi.example.com/simple", "hunter22"),
    ("token hf_abcdefghijklmnopqrstuvwxyz012345", "hf_abcdefghijklmnopqrstuvwxyz012345"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc\n-----END RSA PRIVATE KEY-----\nafter", "MIIEow"),
    ("-----BEGIN PRIVATE KEY-----\nMIIEow, cut off here", "MIIEow"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "secret"), SECRETS)
def test_secrets_are_masked(line, secret):
    masked = mask(line.encode())
    assert secret.encode() not in masked
    assert MASK in masked


@pytest.mark.parametrize(
    "line",
    [
        "step 12/600  loss 0.312  55.1 samples/s  eta 0:10",
        "sha256 of runtime/packages/ab/agent.tar.gz is 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "context tokens: 512, token_embedding: 64x128, secret santa",
        "Could not read s3://chronos-training-dev-123456789012-eu-west-1/dev/system-state.json",
        "Traceback (most recent call last):\n  File \"x.py\", line 3\nKeyError: 'key'",
    ],
)
def test_everything_else_is_kept(line):
    assert mask(line.encode()) == line.encode()


def test_text_that_is_no_utf8_survives():
    assert mask(b"\xff\xfe step 1") == b"\xff\xfe step 1"
    assert mask_text("größe 3") == "größe 3"


@pytest.mark.parametrize(("line", "secret"), SECRETS[:10])
def test_the_bootstrap_masks_what_a_role_has(line, secret):
    spec = importlib.util.spec_from_file_location("bootstrap", BOOTSTRAP)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert secret.encode() not in module.SECRET.sub(b"(masked)", line.encode())
