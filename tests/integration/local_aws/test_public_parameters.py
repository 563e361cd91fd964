"""The driver image's SSM parameter leads to an image that exists and can be launched."""

from __future__ import annotations

import pytest

from local_aws.testing import EmbeddedAws

DEEP_LEARNING = "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id"
UBUNTU = "/aws/service/canonical/ubuntu/server/22.04/stable/current/amd64/hvm/ebs-gp2/ami-id"


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
@pytest.mark.parametrize(("name", "size"), [(DEEP_LEARNING, 75), (UBUNTU, 8)])
def test_the_parameter_names_an_image_with_a_known_root_device(
    aws: EmbeddedAws, name: str, size: int, region: str
) -> None:
    parameter = aws.client("ssm", region=region).get_parameter(Name=name)["Parameter"]
    [image] = aws.client("ec2", region=region).describe_images(ImageIds=[parameter["Value"]])["Images"]
    assert image["Architecture"] == "x86_64"
    assert image["RootDeviceName"] == image["BlockDeviceMappings"][0]["DeviceName"] == "/dev/sda1"
    assert image["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == size
    assert "22.04" in image["Name"]


def test_it_is_found_by_path_too(aws: EmbeddedAws) -> None:
    found = aws.client("ssm").get_parameters_by_path(Path="/aws/service/deeplearning/ami", Recursive=True)["Parameters"]
    assert [parameter["Name"] for parameter in found] == [DEEP_LEARNING]
