"""What RunInstances says of volumes, interfaces, tags and options is what the Describe calls show, and it all vanishes."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from local_aws.moto_gaps.public_parameters import DEEP_LEARNING
from local_aws.testing import EmbeddedAws

TAGS = [{"Key": "Project", "Value": "Chronos-Training"}, {"Key": "RunId", "Value": "20250101-000000"}]
RESOURCES = ("instance", "volume", "network-interface")


def launch(aws: EmbeddedAws, **parameters) -> str:
    specifications = [{"ResourceType": kind, "Tags": TAGS} for kind in RESOURCES]
    return aws.launch(TagSpecifications=specifications, **parameters)


def by_run(kind: str) -> list[dict]:
    return [{"Name": "tag:RunId", "Values": ["20250101-000000"]}]


def test_tags_volumes_and_interfaces_of_a_launch(aws: EmbeddedAws) -> None:
    ec2 = aws.client("ec2")
    root = {"VolumeSize": 60, "VolumeType": "gp3", "Iops": 4000, "Throughput": 250}
    instance = launch(aws, BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": root}])
    [volume] = ec2.describe_volumes(Filters=by_run("volume"))["Volumes"]
    assert (volume["Size"], volume["VolumeType"], volume["Iops"], volume["Throughput"]) == (60, "gp3", 4000, 250)
    assert volume["Attachments"][0]["DeleteOnTermination"] is True  # the image's default for its root device
    [interface] = ec2.describe_network_interfaces(Filters=by_run("network-interface"))["NetworkInterfaces"]
    assert interface["Attachment"]["DeleteOnTermination"] is True
    assert interface["Attachment"]["InstanceId"] == instance
    for resource in (instance, volume["VolumeId"], interface["NetworkInterfaceId"]):
        tags = ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [resource]}])["Tags"]
        assert {tag["Key"]: tag["Value"] for tag in tags} == {tag["Key"]: tag["Value"] for tag in TAGS}
    ec2.terminate_instances(InstanceIds=[instance])
    aws.wait_for_state(instance, "terminated")
    assert ec2.describe_volumes(Filters=by_run("volume"))["Volumes"] == []
    assert ec2.describe_network_interfaces(Filters=by_run("network-interface"))["NetworkInterfaces"] == []
    assert aws.instance(instance)["NetworkInterfaces"] == []


def test_a_root_volume_smaller_than_the_images_snapshot_is_refused(aws: EmbeddedAws) -> None:
    def with_volume(size: int) -> str:
        mappings = [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": size}}]
        return launch(aws, ImageId=DEEP_LEARNING, BlockDeviceMappings=mappings)

    with pytest.raises(
        ClientError, match=r"Volume of size 74GB is smaller than snapshot 'snap-.*', expect size >= 75GB"
    ):
        with_volume(74)
    assert with_volume(75).startswith("i-")


def test_user_data_is_limited_before_it_is_encoded(aws: EmbeddedAws) -> None:
    assert launch(aws, user_data="#" * 16384).startswith("i-")
    with pytest.raises(ClientError, match="User data is limited to 16384 bytes"):
        launch(aws, user_data="#" * 16385)


def test_a_data_volume_stays_unless_told_otherwise_and_the_root_volume_exists_beside_it(aws: EmbeddedAws) -> None:
    ec2 = aws.client("ec2")
    instance = launch(aws, BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 10}}])
    attached = {volume["Attachments"][0]["Device"] for volume in ec2.describe_volumes(Filters=by_run(""))["Volumes"]}
    assert attached == {"/dev/sda1", "/dev/sdf"}
    ec2.terminate_instances(InstanceIds=[instance])
    aws.wait_for_state(instance, "terminated")
    [left] = ec2.describe_volumes(Filters=by_run("volume"))["Volumes"]
    assert (left["Size"], left["State"]) == (10, "available")


def test_an_interface_that_existed_before_is_not_the_launch_s(aws: EmbeddedAws) -> None:
    ec2 = aws.client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    own = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    instance = launch(aws, NetworkInterfaces=[{"DeviceIndex": 0, "NetworkInterfaceId": own}])
    ec2.terminate_instances(InstanceIds=[instance])
    aws.wait_for_state(instance, "terminated")
    [interface] = ec2.describe_network_interfaces(NetworkInterfaceIds=[own])["NetworkInterfaces"]
    assert interface.get("TagSet", []) == []


def test_options_of_the_instance(aws: EmbeddedAws) -> None:
    ec2, iam = aws.client("ec2"), aws.client("iam")
    iam.create_instance_profile(InstanceProfileName="profile")
    parameters = {"ImageId": "ami-0a7d80731ae1b2435", "MinCount": 2, "MaxCount": 2, "InstanceType": "c5.large"}
    answer = ec2.run_instances(
        **parameters,
        IamInstanceProfile={"Name": "profile"},
        MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 2},
        InstanceInitiatedShutdownBehavior="terminate",
    )
    for instance in answer["Instances"]:
        assert instance["State"]["Name"] == "pending"
        shown = aws.instance(instance["InstanceId"])
        assert shown["IamInstanceProfile"]["Arn"].endswith(":instance-profile/profile")
        assert shown["MetadataOptions"]["HttpTokens"] == "required"
        asked = {"InstanceId": instance["InstanceId"], "Attribute": "instanceInitiatedShutdownBehavior"}
        behaviour = ec2.describe_instance_attribute(**asked)["InstanceInitiatedShutdownBehavior"]["Value"]
        assert behaviour == "terminate"
        aws.wait_for_state(instance["InstanceId"], "running")


def test_the_shutdown_behaviour_can_be_changed(aws: EmbeddedAws) -> None:
    ec2, instance = aws.client("ec2"), aws.launch()
    ec2.modify_instance_attribute(InstanceId=instance, InstanceInitiatedShutdownBehavior={"Value": "terminate"})
    shown = ec2.describe_instance_attribute(InstanceId=instance, Attribute="instanceInitiatedShutdownBehavior")
    assert shown["InstanceInitiatedShutdownBehavior"]["Value"] == "terminate"
