"""ModifyInstanceAttribute sets InstanceInitiatedShutdownBehavior in the form that the SDKs send.

moto knows `Attribute=…&Value=…` and a list of `X.Value` forms that lacks this one, and fails with a server error.
"""

from __future__ import annotations

from moto.ec2.responses.instances import InstanceResponse


def close_gap() -> None:
    handle = InstanceResponse._dot_value_instance_attribute_handler

    def handle_shutdown_behaviour(self: InstanceResponse) -> bool:
        value = self._get_param("InstanceInitiatedShutdownBehavior.Value")
        if value is None:
            return handle(self)
        self.error_on_dryrun()
        self.ec2_backend.modify_instance_attribute(
            self._get_param("InstanceId"), "instance_initiated_shutdown_behavior", value
        )
        return True

    InstanceResponse._dot_value_instance_attribute_handler = handle_shutdown_behaviour
