"""Machines with networks of their own cannot reach each other here, as those in a subnet of AWS do: several are refused.

No gap of moto's, but one of the levels that boot a machine in a network namespace or an emulator (levels/listeners.py): a run on
several instances would wait in vain for its members. At level process all machines are on this computer's network.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend
from moto.ec2.models.instances import Reservation


class UnsupportedOperation(EC2ClientError):
    def __init__(self, level: str) -> None:
        sentence = f"Machines of level {level} of the embedded AWS cannot reach each other; start one at a time, or use"
        super().__init__("UnsupportedOperation", f"{sentence} level process.")


def refuse_several(level: str) -> None:
    run_instances = EC2Backend.run_instances

    def run_one(self: EC2Backend, image_id: str, count: int, *arguments: Any, **named: Any) -> Reservation:
        if count > 1:
            raise UnsupportedOperation(level)
        reservation: Reservation = run_instances(self, image_id, count, *arguments, **named)
        return reservation

    EC2Backend.run_instances = run_one
