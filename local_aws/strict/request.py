"""The parameters of a request, in the shape of botocore's model of its operation."""

from __future__ import annotations

import functools
import urllib.parse
from typing import Any

from botocore.exceptions import UnknownServiceError
from moto.core.model import OperationModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.utils import get_service_model
from werkzeug.datastructures import EnvironHeaders, MultiDict

from local_aws.calls import Call


@functools.cache
def operation_of(service: str, action: str) -> OperationModel | None:
    """Return the model of an operation; None for a service or operation that botocore does not know."""
    try:
        model = get_service_model(service)
    except UnknownServiceError:
        return None
    return model.operation_model(action) if action in model.operation_names else None


def parameters_of(call: Call, operation: OperationModel) -> dict[str, Any]:
    """Return the parameters by their names in the model. ValueError when the request cannot be read by it.

    Bodies of objects stay as they are; blobs and times stay text.
    """
    protocol = call.protocol
    text = call.environ.get("QUERY_STRING", "")
    values = MultiDict(urllib.parse.parse_qsl(text, keep_blank_values=True))
    if protocol in ("query", "ec2"):
        values.update(urllib.parse.parse_qsl(call.body.decode(), keep_blank_values=True))
    parser = PROTOCOL_PARSERS[protocol](operation, timestamp_parser=_as_it_is, blob_parser=_as_it_is)
    parsed: dict[str, Any] = parser.parse(
        {
            "body": call.body,
            "headers": EnvironHeaders(call.environ),
            "method": call.method,
            "url_params": call.parameters,
            "url_path": call.environ.get("PATH_INFO", ""),
            "values": values,
        }
    )
    return {name: value for name, value in parsed.items() if value is not None}


def _as_it_is(value: Any) -> Any:
    return value
