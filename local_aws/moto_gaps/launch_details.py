"""What RunInstances says about volumes, interfaces and the instance profile arrives at them.

moto drops, for a launch: tags for `network-interface`, Iops and Throughput of a mapping, the root volume when only
other devices are mapped, DeleteOnTermination of interfaces (default true on AWS for one made by the launch) and of the
root volume when the mapping does not say it, and the profile of all instances but the first. Leaks of volumes and
interfaces could not be tested without these.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html
"""

from __future__ import annotations

import base64
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend
from moto.ec2.models.elastic_block_store import VolumeAttachment
from moto.ec2.models.instances import Instance, Reservation
from moto.ec2.responses.instances import InstanceResponse

GP3_THROUGHPUT = 125  # MiB/s, what AWS gives when none is asked for
LARGEST_USER_DATA = 16384  # bytes, before base64
ROOT_SIZE = 8  # GiB, moto's own default


def close_gap() -> None:
    parse_mappings = InstanceResponse._parse_block_device_mapping
    run_instances = EC2Backend.run_instances

    def parse_with_everything(self: InstanceResponse) -> list[dict[str, Any]]:
        mappings = parse_mappings(self)
        for mapping, asked in zip(mappings, self._get_param("BlockDeviceMappings", []), strict=True):
            ebs = asked.get("Ebs", {})
            mapping["Ebs"]["Throughput"] = ebs.get("Throughput")
            mapping["Ebs"]["DeleteOnTermination"] = ebs.get("DeleteOnTermination")  # None: not said
        return mappings

    def run_with_everything(
        self: EC2Backend, image_id: str, count: int, user_data: Any, *arguments: Any, **named: Any
    ) -> Reservation:
        tags = named.get("tags") or {}
        mappings = named.get("block_device_mappings") or []
        _refuse(self, image_id, user_data, mappings)
        reservation: Reservation = run_instances(self, image_id, count, user_data, *arguments, **named)
        for index, instance in enumerate(reservation.instances):
            _complete_volumes(self, instance, mappings, tags.get("volume", {}))
            _complete_interfaces(instance, named.get("nics") or [], tags.get("network-interface", {}))
            if index:
                _associate_profile(self, instance, named)
        return reservation

    def delete_on_termination(self: VolumeAttachment) -> bool:
        device = self.instance.block_device_mapping.get(self.device)
        return bool(device and device.delete_on_termination)

    VolumeAttachment.delete_on_termination = property(delete_on_termination)  # shown by DescribeVolumes
    InstanceResponse._parse_block_device_mapping = parse_with_everything
    EC2Backend.run_instances = run_with_everything


def _refuse(backend: EC2Backend, image_id: str, user_data: Any, mappings: list[dict[str, Any]]) -> None:
    """Refuse user data that is too long, and a root volume smaller than the image's snapshot, as EC2 does."""
    if len(base64.b64decode(str(user_data or ""))) > LARGEST_USER_DATA:
        raise EC2ClientError("InvalidParameterValue", f"User data is limited to {LARGEST_USER_DATA} bytes")
    image = backend.amis.get(image_id)
    for root in image.block_device_mappings if image else []:
        least, snapshot = root["Ebs"]["VolumeSize"], root["Ebs"]["SnapshotId"]
        for mapping in mappings:
            size = int(mapping["Ebs"].get("VolumeSize") or least)
            if mapping["DeviceName"] == root["DeviceName"] and size < least:
                message = f"Volume of size {size}GB is smaller than snapshot '{snapshot}', expect size >= {least}GB"
                raise EC2ClientError("InvalidBlockDeviceMapping", message)


def _complete_volumes(
    backend: EC2Backend, instance: Instance, mappings: list[dict[str, Any]], tags: dict[str, str]
) -> None:
    root = instance.root_device_name
    if mappings and root not in instance.block_device_mapping:
        instance.add_block_device(ROOT_SIZE, root, None, False, True, None, volume_type="gp2")
        backend.get_volume(instance.block_device_mapping[root].volume_id).add_tags(tags)
    for mapping in mappings:
        device = instance.block_device_mapping.get(mapping["DeviceName"])
        if device is None:
            continue
        ebs = mapping["Ebs"]
        if ebs["DeleteOnTermination"] is None:
            device.delete_on_termination = mapping["DeviceName"] == root
        volume = backend.get_volume(device.volume_id)
        volume.iops = ebs.get("Iops") or volume.iops
        if volume.volume_type == "gp3":
            volume.throughput = ebs.get("Throughput") or GP3_THROUGHPUT


def _complete_interfaces(instance: Instance, asked: list[dict[str, Any]], tags: dict[str, str]) -> None:
    by_index = {int(nic.get("DeviceIndex", 0)): nic for nic in asked}
    for index, interface in instance.nics.items():
        request = by_index.get(index, {})
        if "NetworkInterfaceId" in request:
            continue  # it existed before the launch: neither tagged by it nor deleted with the instance
        interface.delete_on_termination = request.get("DeleteOnTermination") is not False
        interface.add_tags(tags)


def _associate_profile(backend: EC2Backend, instance: Instance, named: dict[str, Any]) -> None:
    name, arn = named.get("iam_instance_profile_name"), named.get("iam_instance_profile_arn")
    if name or arn:
        backend.associate_iam_instance_profile(
            instance_id=instance.id, iam_instance_profile_name=name, iam_instance_profile_arn=arn
        )
