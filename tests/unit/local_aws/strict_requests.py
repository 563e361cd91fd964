"""Requests of AWS's services, written by botocore and answered by the strict layer of the embedded AWS alone."""

from __future__ import annotations

import io
import threading
from typing import Any
from urllib.parse import urlencode

import botocore.session
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from local_aws.strict.gate import StrictApplication

SESSION = botocore.session.get_session()


def service(name: str) -> Any:
    return SESSION.get_service_model(name)


def environ_of(name: str, action: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return the request as a WSGI server gives it to an application."""
    model = service(name)
    sent = create_serializer(model.protocol, False).serialize_to_request(given, model.operation_model(action))
    body, headers = sent["body"], dict(sent["headers"])
    if isinstance(body, dict):
        body = urlencode(body).encode()
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    body = body.encode() if isinstance(body, str) else body or b""
    path, _, literal = sent["url_path"].partition("?")
    query = "&".join(part for part in (literal, urlencode(sent["query_string"], doseq=True)) if part)
    credential = f"AWS4-HMAC-SHA256 Credential=K/20300101/us-east-1/{name}/aws4_request"
    return {
        "REQUEST_METHOD": sent["method"],
        "PATH_INFO": path,
        "RAW_URI": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": headers.pop("Content-Type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        "HTTP_AUTHORIZATION": credential,
        **{f"HTTP_{header.upper().replace('-', '_')}": str(value) for header, value in headers.items()},
    }


APPLICATION = StrictApplication(lambda environ, start: [b"let through"], threading.RLock())


def answer(name: str, action: str, given: dict[str, Any]) -> str:
    """Return the code of the refusal as botocore reads it, or an empty string when the request is let through."""
    answered: list[Any] = []
    body = b"".join(APPLICATION(environ_of(name, action, given), lambda *words: answered.extend(words)))
    if body == b"let through":
        return ""
    model = service(name)
    response = {"status_code": int(answered[0].split()[0]), "headers": dict(answered[1]), "body": body}
    parsed = create_parser(model.protocol).parse(response, model.operation_model(action).output_shape)
    return str(parsed["Error"]["Code"])
