"""Requests in CBOR, as today's SDKs for Go, Java and JavaScript send them to CloudWatch. Everything behind sees JSON.

https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable
from typing import Any

from botocore.parsers import RpcV2CBORParser
from botocore.serialize import RpcV2CBORSerializer

from local_aws.application import read_body
from local_aws.calls import botocore_name, credential_of
from local_aws.strict.request import operation_of

_PATH = re.compile(r"/service/([\w.-]+)/operation/(\w+)/?")
_PROTOCOL = "rpc-v2-cbor"


class CborApplication:
    """Turns such a request into JSON, and the answer into CBOR."""

    def __init__(self, application: Any) -> None:
        self.application = application

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        found = _PATH.fullmatch(environ.get("PATH_INFO", ""))
        if found is None or environ.get("HTTP_SMITHY_PROTOCOL") != _PROTOCOL:
            return self.application(environ, start_response)  # type: ignore[no-any-return]
        read_body(environ)
        service, action = found.groups()
        body = environ["wsgi.input"].getvalue()
        text = json.dumps(_decoded(body), default=_plain).encode()
        environ |= {
            "PATH_INFO": "/",
            "RAW_URI": "/",
            "REQUEST_URI": "/",
            "HTTP_X_AMZ_TARGET": f"{service}.{action}",
            "CONTENT_TYPE": "application/x-amz-json-1.0",
            "CONTENT_LENGTH": str(len(text)),
            "wsgi.input": io.BytesIO(text),
        }
        answered: list[Any] = []
        inner = b"".join(self.application(environ, lambda status, headers, *_: answered.extend((status, headers))))
        status, headers = answered
        operation = operation_of(botocore_name(credential_of(environ)[2]), action)
        encoded = _encoded(inner, operation.output_shape if operation and status.startswith("2") else None)
        dropped = ("content-type", "content-length")
        kept = [(name, value) for name, value in headers if name.lower() not in dropped]
        form = [
            ("Content-Type", "application/cbor"),
            ("smithy-protocol", _PROTOCOL),
            ("Content-Length", str(len(encoded))),
        ]
        start_response(status, [*kept, *form])
        return [encoded]


def _decoded(body: bytes) -> Any:
    parser = RpcV2CBORParser()
    return parser.parse_data_item(parser.get_peekable_stream_from_bytes(body)) if body else {}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    return value.timestamp()


def _encoded(text: bytes, shape: Any) -> bytes:
    """Return JSON as CBOR, by the shape of the answer; an error is a map of text."""
    value, encoded = json.loads(text or b"{}"), bytearray()
    serializer = RpcV2CBORSerializer()
    if shape is not None:
        serializer._serialize_data_item(encoded, _known(value, shape), shape)
        return bytes(encoded)
    pairs = {str(key): str(one) for key, one in value.items()}
    encoded += serializer._get_initial_byte(serializer.MAP_MAJOR_TYPE, len(pairs))
    for key, one in pairs.items():
        serializer._serialize_type_string(encoded, key, None, None)
        serializer._serialize_type_string(encoded, one, None, None)
    return bytes(encoded)


def _known(value: Any, shape: Any) -> Any:
    """What the shape has of a value: moto answers null and more."""
    if shape.type_name == "structure":
        named = {name: value[name] for name in shape.members if value.get(name) is not None}
        return {name: _known(one, shape.members[name]) for name, one in named.items()}
    if shape.type_name == "list":
        return [_known(one, shape.member) for one in value]
    return float(value) if shape.type_name in ("float", "double") else value
