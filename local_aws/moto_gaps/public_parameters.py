"""The public SSM parameters of the Deep Learning AMI and of Ubuntu exist, and name images that exist.

moto has parameters for Amazon Linux only, and every image's snapshot has 15 GB there. A launch asks SSM for the newest
driver image and then EC2 for its root device and size, so both must be there.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from moto.ec2.models import amis
from moto.ssm.models import Parameter, ParameterDict

UBUNTU = "ami-0a7d80731ae1b2435"
DEEP_LEARNING = "ami-0f6da9c4d0cc4c2cb"
PARAMETERS = {
    "/aws/service/canonical/ubuntu/server/22.04/stable/current/amd64/hvm/ebs-gp2/ami-id": UBUNTU,
    "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id": DEEP_LEARNING,
}
# The size of the images' root snapshot: no root volume may be smaller.
SNAPSHOT_GB = {UBUNTU: 8, DEEP_LEARNING: 75}
PREFIXES = ("/aws/service/canonical", "/aws/service/deeplearning")
PUBLISHED = datetime(2025, 6, 10)


def _image(image_id: str, owner: str, name: str, description: str) -> dict[str, Any]:
    return {
        "ami_id": image_id,
        "name": name,
        "description": description,
        "owner_id": owner,
        "image_location": f"amazon/{name}",
        "state": "available",
        "public": True,
        "image_type": "machine",
        "architecture": "x86_64",
        "virtualization_type": "hvm",
        "hypervisor": "xen",
        "root_device_type": "ebs",
        "root_device_name": "/dev/sda1",
        "sriov": "simple",
        "creation_date": PUBLISHED,
    }


IMAGES = [
    _image(
        UBUNTU,
        "099720109477",
        "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-20250610",
        "Canonical, Ubuntu, 22.04 LTS, amd64 jammy image",
    ),
    _image(
        DEEP_LEARNING,
        "898082745236",
        "Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 22.04) 20250610",
        "Supported EC2 instances: G4dn, G5, G6, Gr6, P4d, P4de, P5, P5e, P5en, P6-B200.",
    ),
]


def close_gap() -> None:
    amis.AMIS.extend(IMAGES)
    mappings_of = amis.Ami.block_device_mappings.fget

    def mappings_of_their_size(self: amis.Ami) -> list[dict[str, Any]]:
        mappings: list[dict[str, Any]] = mappings_of(self)
        if self.id in SNAPSHOT_GB:
            mappings[0]["Ebs"]["VolumeSize"] = SNAPSHOT_GB[self.id]
        return mappings

    amis.Ami.block_device_mappings = property(mappings_of_their_size)
    check_loading_status = ParameterDict._check_loading_status

    def load_ours_too(self: ParameterDict, key: str) -> None:
        check_loading_status(self, key)
        if str(key or "").startswith(PREFIXES):
            for name, value in PARAMETERS.items():
                # dict's own methods: ParameterDict's call this function again.
                if not dict.__contains__(self, name):
                    dict.__setitem__(self, name, [_parameter(self, name, value)])

    ParameterDict._check_loading_status = load_ours_too


def _parameter(parameters: ParameterDict, name: str, value: str) -> Parameter:
    return Parameter(
        account_id=parameters.account_id,
        name=name,
        value=value,
        parameter_type="String",
        description=None,
        allowed_pattern=None,
        keyid=None,
        last_modified_date=PUBLISHED,
        version=1,
        data_type="aws:ec2:image",
    )
