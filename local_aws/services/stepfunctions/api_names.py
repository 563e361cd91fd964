"""Names of parameters and of what is answered: Step Functions writes them all alike, the APIs do not.

moto 5.2.5 turns no name (ecs, states, most of aws-sdk fail for that), and leaves times as objects.
https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import StateTaskService
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str

from local_aws.services.patching import replace
from local_aws.strict.request import operation_of

# Names of services in aws-sdk resources that are not botocore's.
# https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
SDK_NAMES = {
    "sfn": "stepfunctions",
    "states": "stepfunctions",
    "cloudwatchlogs": "logs",
    "eventbridge": "events",
    "costexplorer": "ce",
}


def install() -> None:
    """Let moto turn names."""

    def operation(self: Any, service: str | None, action: str | None) -> Any:
        # Step Functions writes runTask where the API has RunTask.
        name = action or self.resource.api_action
        pascal = "".join(part[:1].upper() + part[1:] for part in name.split("_"))
        found = operation_of(self._get_boto_service_name(service), pascal)
        if found is None:
            raise ValueError(f"The service {self.resource.api_name} has no operation {pascal}.")
        return found

    def normalise_parameters(
        self: Any, parameters: Any, boto_service_name: str | None = None, service_action_name: str | None = None
    ) -> None:
        shape = operation(self, boto_service_name, service_action_name).input_shape
        if shape is not None:
            self._to_boto_request(parameters, shape)

    def normalise_response(
        self: Any, response: Any, boto_service_name: str | None = None, service_action_name: str | None = None
    ) -> None:
        shape = operation(self, boto_service_name, service_action_name).output_shape
        if shape is not None:
            self._from_boto_response(response, shape)

    replace(StateTaskService, _normalise_parameters=normalise_parameters, _normalise_response=normalise_response)
    replace(StateTaskService, _to_boto_request_value=_to_boto_request_value)
    replace(StateTaskService, _SERVICE_NAME_SFN_TO_BOTO_OVERRIDES=SDK_NAMES)
    replace(StateTaskService, _from_boto_response_value=_from_boto_response_value)


def _to_boto_request_value(self: Any, value: Any, shape: Any) -> Any:
    if shape.type_name == "structure" and isinstance(value, dict):
        self._to_boto_request(value, shape)
    elif shape.type_name == "list" and isinstance(value, list):
        return [_to_boto_request_value(self, item, shape.member) for item in value]
    elif shape.type_name == "map" and isinstance(value, dict):
        return {key: _to_boto_request_value(self, item, shape.value) for key, item in value.items()}
    elif shape.type_name == "string" and not isinstance(value, str):
        return to_json_str(value)
    elif shape.type_name == "blob" and not isinstance(value, bytes):
        return (value if isinstance(value, str) else to_json_str(value, separators=(",", ":"))).encode()
    return value


def _from_boto_response_value(self: Any, value: Any) -> Any:
    """Data of JSON: times are text where the SDK is called, milliseconds where Step Functions has an integration."""
    if isinstance(value, datetime):
        if self.resource.service_name == "aws-sdk":
            return value.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return int(value.timestamp() * 1000)
    if hasattr(value, "read"):
        value = value.read()
    return value.decode(errors="replace") if isinstance(value, bytes) else value
