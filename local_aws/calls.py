"""What an AWS request asks for (service, operation, parameters), and how that service words a refusal."""

from __future__ import annotations

import contextlib
import functools
import json
import re
import urllib.parse
import uuid
from typing import Any
from xml.sax.saxutils import escape

import botocore.session
from botocore.exceptions import UnknownServiceError
from moto.ec2.models import ec2_backends

from local_aws.home import REGION

CBOR = "smithy-rpc-v2-cbor"

# In the header, or in the query of a signed URL.
_CREDENTIAL = re.compile(r"Credential=([^/&]+)/\d+/([^/]+)/([^/]+)/aws4_request")


def credential_of(environ: dict[str, Any]) -> tuple[str, str, str]:
    """Return access key, region and service that a request is signed with; an anonymous one is for S3, with no key."""
    found = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    if found is None and "X-Amz-Credential=" in environ.get("QUERY_STRING", ""):
        found = _CREDENTIAL.search(urllib.parse.unquote(environ["QUERY_STRING"]))
    return found.groups() if found else ("", "", "s3")  # type: ignore[return-value]


def call_of(environ: dict[str, Any]) -> Call:
    """Return the request as a Call, worked out once for all that stand before the AWS. Its body is in memory already."""
    if "local_aws.call" not in environ:
        environ["local_aws.call"] = Call(environ)
    return environ["local_aws.call"]  # type: ignore[no-any-return]


class Call:
    """One AWS request: which operation it is, and its parameters as text."""

    def __init__(self, environ: dict[str, Any]) -> None:
        self.body: bytes = environ["wsgi.input"].getvalue()
        body = self.body
        query = dict(urllib.parse.parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
        self.access_key, self.region, self.service = credential_of(environ)
        self.method = str(environ["REQUEST_METHOD"])
        self.environ = environ
        self.parameters: dict[str, str] = {}
        if "HTTP_X_AMZ_TARGET" in environ:
            self.action = environ["HTTP_X_AMZ_TARGET"].rsplit(".", 1)[-1]
            self._add_json(body)
        elif "x-www-form-urlencoded" in environ.get("CONTENT_TYPE", ""):
            self.parameters = dict(urllib.parse.parse_qsl(body.decode()))
            self.action = self.parameters.get("Action", "")
            if not self.access_key and self.action == "AssumeRoleWithWebIdentity":  # its token is its signature
                self.region, self.service = REGION, "sts"
            self._add_zone()
        else:
            self.action, self.parameters = rest_operation(self.service, environ, query)
            if environ.get("CONTENT_TYPE", "").startswith("application/json"):
                named = self.parameters
                self._add_json(body)
                self.parameters |= named  # a function's event is a body, too, and may have members of any name

    def _add_json(self, body: bytes) -> None:
        with contextlib.suppress(ValueError, AttributeError):
            self.parameters |= {k: v if isinstance(v, str) else json.dumps(v) for k, v in json.loads(body).items()}

    def _add_zone(self) -> None:
        subnet_id = self.parameters.get("SubnetId") or self.parameters.get("NetworkInterface.1.SubnetId")
        for account in list(ec2_backends.values()) if subnet_id else ():
            for backend in list(account.values()):
                for by_zone in backend.subnets.values():
                    if subnet_id in by_zone:
                        self.parameters["Zone"] = by_zone[subnet_id].availability_zone

    @property
    def protocol(self) -> str:
        """How this request talks, and so how it is answered. Some services have several protocols, for older clients."""
        spoken = protocols_of(self.service)
        if "x-www-form-urlencoded" in self.environ.get("CONTENT_TYPE", ""):
            return next((one for one in spoken if one in ("ec2", "query")), spoken[0])
        return next((one for one in spoken if one not in ("query", CBOR)), spoken[0])

    def refuse(self, start_response: Any, error: dict[str, Any]) -> list[bytes]:
        """Answer `error` as the service would."""
        code, message = str(error["code"]), str(error.get("message", "An injected fault."))
        request_id = str(uuid.uuid4())
        said = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
        protocol = self.protocol
        headers = [("x-amzn-RequestId", request_id), ("Content-Type", "text/xml")]
        if protocol == "ec2":
            text = f"<Response><Errors><Error>{said}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
        elif protocol == "query":
            text = f"<ErrorResponse><Error>{said}</Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        elif protocol == "rest-xml":
            text = f"<Error>{said}<RequestId>{request_id}</RequestId></Error>"
        else:
            text = json.dumps({"__type": code, "message": message})
            headers = [
                ("x-amzn-RequestId", request_id),
                ("x-amzn-ErrorType", code),
                ("Content-Type", "application/json"),
            ]
        body = b"" if self.method == "HEAD" else text.encode()
        start_response(f"{int(error.get('status', 400))} Fault", [*headers, ("Content-Length", str(len(body)))])
        return [body]


# Where the name that requests are signed with is not the service's name in botocore.
_SIGNED_AS = {"states": "stepfunctions", "monitoring": "cloudwatch"}


def botocore_name(service: str) -> str:
    """Return botocore's name of a service, given the one that its requests are signed with."""
    return _SIGNED_AS.get(service, service)


@functools.cache
def _model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(botocore_name(service))


def protocols_of(service: str) -> list[str]:
    """Return how a service talks: ec2, query, json, rest-json, rest-xml or CBOR; the first is what it prefers."""
    try:
        model = _model(service)
    except UnknownServiceError:
        return ["json"]
    return list(model.metadata.get("protocols") or [str(model.protocol)])


def operations_of(service: str) -> frozenset[str]:
    """Return the names of a service's operations."""
    return frozenset(_model(service).operation_names)


@functools.cache
def _rest_operations(
    service: str, method: str
) -> list[tuple[str, re.Pattern[str], set[tuple[str, str]], set[str], set[str]]]:
    """For each operation of this HTTP method: name, path, query literals, required query names, required headers."""
    model = _model(service)
    table = []
    for name in model.operation_names:
        operation = model.operation_model(name)
        if operation.http["method"] != method or operation.deprecated:  # two names for one request: the old one goes
            continue
        path, _, query = operation.http["requestUri"].partition("?")
        path = re.sub(r"\\\{(\w+)\\\+\\\}", r"(?P<\1>.+)", re.escape(path))
        path = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", path)
        shape = operation.input_shape
        members = shape.members if shape else {}
        required = [members[m].serialization for m in (shape.required_members if shape else [])]
        table.append(
            (
                name,
                re.compile(path + "/?"),
                set(urllib.parse.parse_qsl(query, keep_blank_values=True)),
                {s["name"] for s in required if s.get("location") == "querystring"},
                {s["name"].lower() for s in required if s.get("location") == "header"},
            )
        )
    return table


def rest_operation(service: str, environ: dict[str, Any], query: dict[str, str]) -> tuple[str, dict[str, str]]:
    """Return the operation that a REST request is, by the most specific entry of botocore's own table."""
    headers = {key[5:].replace("_", "-").lower() for key in environ if key.startswith("HTTP_")}
    # As it was sent: a / inside of a parameter (an ARN) is quoted there, and one between two is not.
    sent = str(environ.get("RAW_URI", "")).partition("?")[0]
    if not sent.startswith("/"):
        sent = urllib.parse.quote(environ["PATH_INFO"])
    best: tuple[int, str, dict[str, str]] = (-1, "", {})
    for name, path, literals, wanted_query, wanted_headers in _rest_operations(service, environ["REQUEST_METHOD"]):
        found = path.fullmatch(sent)
        fits = found and literals <= set(query.items()) and wanted_query <= set(query) and wanted_headers <= headers
        special = len(literals) + len(wanted_query) + len(wanted_headers)
        if found and fits and special > best[0]:
            best = (special, name, {name: urllib.parse.unquote(value) for name, value in found.groupdict().items()})
    return best[1], {**query, **best[2]}
