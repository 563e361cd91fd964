"""The machine image of a launch: the one that the SSM parameter names now, its root device, and the volume that it needs."""

from __future__ import annotations

from dataclasses import dataclass

from chronos_training.core import aws
from chronos_training.core.errors import ConfigurationError


@dataclass(frozen=True)
class Image:
    """An image as EC2 describes it. `root_gb` is the size of `snapshot`, which its root volume is made from."""

    image_id: str
    name: str
    root_device: str
    root_gb: int
    snapshot: str
    state: str
    architecture: str


def find_image(parameter: str, region: str | None) -> Image:
    """Return the image that `parameter` names. ConfigurationError when it has none, or one without a root volume on EBS."""
    ssm, ec2 = aws.client("ssm", region=region), aws.client("ec2", region=region)
    with aws.explained(f"find the machine image named by {parameter}"):
        image_id = str(ssm.get_parameter(Name=parameter)["Parameter"]["Value"])
    with aws.explained(f"describe the machine image {image_id}, which {parameter} names"):
        found = ec2.describe_images(ImageIds=[image_id])["Images"]
    root = found[0].get("RootDeviceName") if found else None
    mapped = {one["DeviceName"]: one.get("Ebs", {}) for one in found[0].get("BlockDeviceMappings", [])} if found else {}
    if not root or "VolumeSize" not in mapped.get(root, {}):
        what = "does not exist in this region" if not found else "has no root volume on EBS"
        raise ConfigurationError(
            f"The machine image {image_id}, which {parameter} names, {what}.",
            hint="Set training_launch_image_parameter to an image of this region.",
        )
    about, disk = found[0], mapped[root]
    return Image(
        image_id=image_id,
        name=str(about.get("Name", "without a name")),
        root_device=str(root),
        root_gb=int(disk["VolumeSize"]),
        snapshot=str(disk.get("SnapshotId", "its snapshot")),
        state=str(about["State"]),
        architecture=str(about["Architecture"]),
    )


def check_volume(image: Image, volume_gb: int) -> None:
    """Raise ConfigurationError when EC2 would refuse a root volume of this size: one may not be smaller than its snapshot."""
    if volume_gb < image.root_gb:
        raise ConfigurationError(
            f"training_launch_volume_gb is {volume_gb}, and the machine image {image.image_id} ({image.name}) itself "
            f"needs at least {image.root_gb} GB.",
            hint=f"Set training_launch_volume_gb to {image.root_gb} or more; environment, data and checkpoints use"
            " the space that the image leaves free.",
        )
