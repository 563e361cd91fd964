"""The dry run of a launch's request, against an EC2 that takes it for a launch."""

from __future__ import annotations

import boto3
from botocore.stub import ANY, Stubber

from chronos_training.control.doctor import request
from chronos_training.control.launch.launch_spec import LaunchSpec
from chronos_training.control.options.settings import Settings
from chronos_training.core.capacity import LaunchOption
from tests.run_specs import run_spec


def test_what_an_ec2_without_dry_runs_started_is_ended_at_once():
    ec2 = boto3.Session("key", "secret", region_name="us-east-1").client("ec2")
    settings = Settings("local", "us-east-1", "bucket", "vpc-1", ("subnet-1",), "sg-1", "profile")
    order = LaunchSpec(run_spec(), settings, "Project", "/dev/sda1", {}, "")
    option = LaunchOption("m5.large", "subnet-1", "us-east-1a")
    asked = request.request_of(order, option.instance_type, option.subnet_id, "token")
    with Stubber(ec2) as stub:
        stub.add_response(
            "run_instances", {"Instances": [{"InstanceId": "i-1"}]}, {**dict.fromkeys(asked, ANY), "DryRun": True}
        )
        stub.add_response("terminate_instances", {}, {"InstanceIds": ["i-1"]})
        said = request._try(ec2, order, option)
        stub.assert_no_pending_responses()
    assert "started i-1, which was terminated at once" in said
