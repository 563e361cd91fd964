"""Takes secrets out of what leaves the machine as a log. Programs should not log them; this is for those that do."""

from __future__ import annotations

import re

MASK = b"(masked)"

_VALUE = rb"[A-Za-z0-9/+=_.~%-]"
_PATTERNS = [
    # Whole private keys.
    (re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), MASK),
    # Access key ids, long-lived and temporary.
    (re.compile(rb"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), MASK),
    # aws_secret_access_key = …, "SecretAccessKey": "…", AWS_SESSION_TOKEN=…, x-amz-security-token: …, password=…
    (
        re.compile(
            rb"((?:secret_?(?:access_?)?key|session_?token|security[_-]token|api_?key|password|passwd|hf_token"
            rb"|\"token\")[\"']?\s{0,4}[:=]\s{0,4}(?:b?[\"'])?)" + _VALUE + rb"{8,}",
            re.IGNORECASE,
        ),
        rb"\1" + MASK,
    ),
    # Request headers.
    (re.compile(rb"(authorization[\"']?\s{0,4}[:=]\s{0,4}[\"']?)[^\r\n\"']+", re.IGNORECASE), rb"\1" + MASK),
    (re.compile(rb"\b(Bearer|Basic) [A-Za-z0-9._~+/=-]{8,}"), rb"\1 " + MASK),
    # Presigned URLs, and a password inside a URL.
    (
        re.compile(rb"((?:X-Amz-(?:Signature|Credential|Security-Token)|Signature|AWSAccessKeyId)=)[^&\s\"']+", re.I),
        rb"\1" + MASK,
    ),
    (re.compile(rb"(\w+://[^/\s:@]+:)[^/\s@]+(?=@)"), rb"\1" + MASK),
    # Tokens of the hub where models come from.
    (re.compile(rb"\bhf_[A-Za-z0-9]{20,}"), MASK),
]


def mask(text: bytes) -> bytes:
    """Return `text` with every credential in it replaced; everything else is as it was."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def mask_text(text: str) -> str:
    """Return the same for a sentence, as the state file takes it."""
    return mask(text.encode()).decode()
