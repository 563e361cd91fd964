"""The API of the volatility stack as its playbooks deploy it, with forecasts in its bucket, and how clients call it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chronos_training.control.volatility import http, image_context
from chronos_training.control.volatility.http import Answer
from local_aws.home import REPOSITORY_ROOT
from local_aws.testing import EmbeddedAws
from tests.integration.test_provision import changes, play
from tests.volatility_policies import ACCOUNT, REGION

BUCKET = f"volatility-local-{ACCOUNT}-{REGION}"
NAME, FUNCTION, SECRET = "volatility-local", "volatility-local-api", "volatility/local/api-key"
# What the API reads, and what names it: nothing else of a folder of forecasts.
SERVED = ("serving/", "artifacts/model/", "models/")
DEPLOY = """
- hosts: localhost
  gather_facts: false
  roles:
    - role: training_inputs
    - role: volatility_inputs
    - role: volatility_api
"""
# Of a session under load the plan that the playbook makes would refuse most: what is not about limits has none.
FREELY = ("-e", "volatility_api_key_rate=1000", "-e", "volatility_api_key_burst=1000", "-e", "volatility_api_key_quota=1000000",
          "-e", "volatility_api_rate=1000", "-e", "volatility_api_burst=1000")  # fmt: skip


@dataclass
class Deployed:
    """A deployed API."""

    aws: EmbeddedAws
    facts: dict[str, Any]
    """session, serving (a model's version), other (another one's), features (of the session), folder (of the forecasts)."""
    image: str = ""
    url: str = ""
    key: str = ""
    outputs: list[str] = field(default_factory=list)

    def provision(self, *arguments: str) -> None:
        """What is there before anything is deployed, with the training stack's network."""
        ec2, ssm = self.aws.client("ec2"), self.aws.client("ssm")
        subnets = ec2.describe_subnets()["Subnets"][:2]
        values = {"vpc_id": subnets[0]["VpcId"], "subnet_ids": ",".join(one["SubnetId"] for one in subnets)}
        for name, value in values.items():
            ssm.put_parameter(Name=f"/chronos-training/local/{name}", Value=value, Type="String")
        self.play("provision_volatility", *arguments)

    def publish(self, context: Path) -> None:
        """Build the image `api`, push it, and publish its digest."""
        image_context.write(REPOSITORY_ROOT, context)
        self.image = push(self.aws, context, "api", context.parent)
        self.aws.client("ssm").put_parameter(Name="/volatility/local/api_image", Value=self.image, Type="String")

    def store(self, folder: Path) -> None:
        """Put forecasts and models into the bucket."""
        s3 = self.aws.client("s3")
        for path in sorted(one for one in folder.rglob("*") if one.is_file()):
            key = str(path.relative_to(folder))
            if key.startswith(SERVED):
                s3.put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())

    def deploy(self, *arguments: str) -> int:
        """Run the role; returns the number of tasks that changed something."""
        output = self.play(DEPLOY, *arguments)
        if "--check" not in arguments:
            self.url = str(self.aws.client("ssm").get_parameter(Name="/volatility/local/api_url")["Parameter"]["Value"])
            self.key = http.key_of(self.aws.client("secretsmanager"), SECRET)
        return changes(output)

    def play(self, playbook: str, *arguments: str, status: int = 0) -> str:
        """Run a playbook, which must end with `status`; returns what it printed."""
        code, output = play(self.aws, playbook, *arguments)
        self.outputs.append(output)
        assert (code == 0) == (status == 0), output
        return output

    def ask(self, path: str, body: Any = None, *, key: str | None = None) -> Answer:
        """Send a GET, or a POST of `body`, with the key unless another one (or none: "") is given."""
        return http.ask(f"{self.url}{path}", key=self.key if key is None else key, body=body)

    def plan(self, name: str, **settings: Any) -> str:
        """A usage plan and its key beside the playbook's; returns the key's value."""
        client = self.aws.client("apigateway")
        [api] = client.get_rest_apis()["items"]
        plan = client.create_usage_plan(name=name, apiStages=[{"apiId": api["id"], "stage": "v1"}], **settings)
        made = client.create_api_key(name=name, enabled=True)
        client.create_usage_plan_key(usagePlanId=plan["id"], keyId=made["id"], keyType="API_KEY")
        return str(made["value"])

    def log(self, group: str) -> list[str]:
        """Return the lines of a log group."""
        pages = self.aws.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
        return [one["message"] for page in pages for one in page["events"]]


def push(aws: EmbeddedAws, context: Path, target: str, home: Path) -> str:
    """Build one of volatility/Containerfile's images and push it as publish_images names it; returns it by its digest."""
    ecr = aws.client("ecr")
    name = f"{NAME}-{target}"
    uri = str(ecr.create_repository(repositoryName=name)["repository"]["repositoryUri"])
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    environment = {**os.environ, **aws.env, "HOME": str(home), "PYTHONPATH": str(REPOSITORY_ROOT)}
    for words in (
        ["build", "-t", f"{uri}:test", "--target", target, str(context)],
        ["login", "--username", "AWS", "--password-stdin", uri.partition("/")[0]],
        ["push", f"{uri}:test"],
    ):
        command = [sys.executable, "-m", "local_aws.containers", *words]
        password = base64.b64decode(token).decode().partition(":")[2]
        done = subprocess.run(command, env=environment, input=password, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return f"{uri}@{ecr.describe_images(repositoryName=name)['imageDetails'][0]['imageDigest']}"


def forecasts(folder: Path) -> dict[str, Any]:
    """Fill the folder with forecasts and models; returns what `Deployed.facts` has."""
    python, tools = (
        subprocess.run([sys.executable, f"tools/{name}", group], cwd=REPOSITORY_ROOT, capture_output=True, text=True, check=True)
        .stdout.strip()
        for name, group in (("volatility_env.py", "batch"), ("group_packages.py", "test"))
    )  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": f"{tools}:{REPOSITORY_ROOT}"}
    command = [python, "-m", "tests.services.volatility.forecasts", str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {**json.loads((folder / "facts.json").read_text()), "folder": str(folder)}
