"""The machine image that a launch would take, and whether it fits."""

from __future__ import annotations

from typing import Any

from chronos_training.core import aws
from chronos_training.core.errors import TrainingError

from .finding import Finding, ok, stop, unseen


def image(ec2: Any, region: str, parameter: str, volume_gb: int) -> tuple[str | None, Finding]:
    """Return the id of the image that `parameter` names, None without one, and what there is to say about it."""
    name, image_id = "image", None
    try:
        with aws.explained(f"find the machine image through {parameter}"):
            image_id = str(aws.client("ssm", region=region).get_parameter(Name=parameter)["Parameter"]["Value"])
        with aws.explained(f"look at the machine image {image_id}"):
            found = ec2.describe_images(ImageIds=[image_id])["Images"]
    except TrainingError as error:
        if "ParameterNotFound" in str(error):
            return None, stop(
                name, f"{region} has no SSM parameter {parameter}. Give another in training_launch_image_parameter."
            )
        if "InvalidAMIID" in str(error):
            return image_id, stop(name, f"{parameter} names {image_id}, which {region} does not have.")
        return image_id, unseen(name, error)
    if not found:
        return image_id, stop(name, f"{parameter} names {image_id}, which {region} does not have.")
    return image_id, _judge(found[0], volume_gb)


def _judge(raw: dict[str, Any], volume_gb: int) -> Finding:
    about = f"{raw['ImageId']}, {raw.get('Name', 'without a name')}"
    if raw["State"] != "available":
        return stop("image", f"{about} is {raw['State']}. Give another in training_launch_image_parameter.")
    if raw["Architecture"] != "x86_64":
        return stop("image", f"{about} is made for {raw['Architecture']}; what we publish is for x86_64.")
    root = str(raw.get("RootDeviceName", ""))
    mappings = {one.get("DeviceName"): one.get("Ebs", {}) for one in raw.get("BlockDeviceMappings", [])}
    disk = mappings.get(root, {})
    size, snapshot = disk.get("VolumeSize"), disk.get("SnapshotId", "its snapshot")
    if size is None:
        return stop("image", f"{about} has no EBS root volume ({root or 'no root device'}).")
    if int(size) > volume_gb:
        return stop(
            "image",
            f"{about}: its snapshot {snapshot} has {size} GB, and training_launch_volume_gb is {volume_gb}. Set {size} or more.",
        )
    return ok("image", f"{about}; root {root}, {snapshot} of {size} GB in a volume of {volume_gb} GB")
