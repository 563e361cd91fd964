"""A machine on which no switch works is ended by EC2, under the rights of the instance's own role."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from local_aws.home import REPOSITORY_ROOT
from local_aws.testing import EmbeddedAws
from tests.policies import Deployment, make_roles

DEPLOYMENT = Deployment(bucket="last-switch")
PROGRAM = "from chronos_training.agent import machine; machine.power_off()"


def boot(aws: EmbeddedAws, env: str) -> str:
    """Boot an instance with the role of DEPLOYMENT and the tags of `env`."""
    tags = [{"Key": "Project", "Value": DEPLOYMENT.project}, {"Key": "Environment", "Value": env}]
    instance_id = aws.launch(
        "#!/bin/sh\necho booted\n",
        IamInstanceProfile={"Name": f"chronos-training-{DEPLOYMENT.env}-instance"},
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
    )
    aws.wait_for_console(instance_id, "booted")
    return instance_id


def power_off(aws: EmbeddedAws, instance_id: str, folder) -> None:
    """Run what the instance runs at its end, where every command for it fails."""
    for name in ("shutdown", "systemctl"):
        (folder / name).write_text("#!/bin/sh\nexit 1\n")
        (folder / name).chmod(0o755)
    [endpoint] = [m["metadata_endpoint"] for m in aws.machines() if m["instance_id"] == instance_id]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {
        "AWS_ENDPOINT_URL": aws.endpoint,
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": endpoint,
        "PATH": f"{folder}:/usr/bin:/bin",
        "PYTHONPATH": str(REPOSITORY_ROOT / "training/src"),
    }
    subprocess.run([sys.executable, "-c", PROGRAM], env=environment, timeout=120, check=True)


@pytest.mark.parametrize(("env", "ended"), [(DEPLOYMENT.env, True), ("prod", False)])
def test_the_instance_is_terminated_by_ec2(aws: EmbeddedAws, tmp_path, env, ended):
    make_roles(aws.client("iam"), DEPLOYMENT)
    instance_id = boot(aws, env)
    power_off(aws, instance_id, tmp_path)
    if ended:
        aws.wait_for_state(instance_id, "terminated")
    else:  # the role ends nothing of another environment
        assert aws.state(instance_id) == "running"
