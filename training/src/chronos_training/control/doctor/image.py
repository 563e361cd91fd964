"""The machine image that a launch would take, and whether it fits."""

from __future__ import annotations

from chronos_training.control.launch.image import Image, find_image
from chronos_training.core.errors import ConfigurationError, TrainingError

from .check_result import CheckResult, ok, stop, unseen


def image(region: str, parameter: str, volume_gb: int) -> tuple[Image | None, CheckResult]:
    """Return the image that `parameter` names, None without one, and what there is to say about it."""
    name = "image"
    try:
        found = find_image(parameter, region)
    except ConfigurationError as error:
        return None, stop(name, str(error))
    except TrainingError as error:
        if "ParameterNotFound" in str(error):
            return None, stop(
                name, f"{region} has no SSM parameter {parameter}. Give another in training_launch_image_parameter."
            )
        if "InvalidAMIID" in str(error):
            return None, stop(name, f"{parameter} names an image that {region} does not have: {error}")
        return None, unseen(name, error)
    return found, _judge(found, volume_gb)


def _judge(found: Image, volume_gb: int) -> CheckResult:
    about = f"{found.image_id}, {found.name}"
    if found.state != "available":
        return stop("image", f"{about} is {found.state}. Give another in training_launch_image_parameter.")
    if found.architecture != "x86_64":
        return stop("image", f"{about} is built for {found.architecture}; the published runtime is for x86_64.")
    if found.root_gb > volume_gb:
        return stop(
            "image",
            f"{about}: its snapshot {found.snapshot} has {found.root_gb} GB, and training_launch_volume_gb is {volume_gb}."
            f" Set {found.root_gb} or more.",
        )
    return ok(
        "image",
        f"{about}; root {found.root_device}, {found.snapshot} of {found.root_gb} GB in a volume of {volume_gb} GB",
    )
