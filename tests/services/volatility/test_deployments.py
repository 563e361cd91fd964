"""What is deployed changes by the playbooks: a hotfix and the way back, an environment that is paused and resumed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest

from chronos_training.control.volatility import http
from local_aws.testing import EmbeddedAws
from tests.services.volatility.daily_stack import CHAIN, NEW_YORK, PREFIX, Stack
from tests.services.volatility.stack import READER, confirm, mails

pytestmark = [pytest.mark.services, pytest.mark.timeout(2400)]
PAUSED = {"volatility_paused": True}
DEPLOYED = {"volatility_alarms_emails": [READER]}
# Each image with another label, as a commit would make others; a label is not what the images do.
HOTFIX = {"volatility_images_tag": "hotfix", "volatility_images_build_options": ["--label", "of=hotfix"]}


@pytest.fixture(scope="module")
def stack(embedded_aws: EmbeddedAws) -> Iterator[Stack]:
    """A deployed stack without data, paused: nothing of it runs by itself."""
    embedded_aws.reset()
    found = Stack(embedded_aws)
    found.provision(**DEPLOYED, **PAUSED)
    confirm(embedded_aws)
    yield found
    embedded_aws.reset()


def health(stack: Stack) -> int:
    """The status of the API's answer."""
    url = stack.aws.client("ssm").get_parameter(Name="/volatility/local/api_url")["Parameter"]["Value"]
    return http.ask(f"{url}/health").status


def running(stack: Stack) -> dict[str, str]:
    """The digest of what runs, by part: the API, a step, the training."""
    functions, ecs = stack.aws.client("lambda"), stack.aws.client("ecs")
    api = functions.get_function_configuration(FunctionName=f"{PREFIX}-api", Qualifier="live")
    infer = functions.get_function_configuration(FunctionName=f"{PREFIX}-infer")
    definition = stack.aws.client("stepfunctions").describe_state_machine(stateMachineArn=CHAIN)["definition"]
    task = re.findall(r'"TaskDefinition": "(.*?)"', definition)[0]
    image = ecs.describe_task_definition(taskDefinition=task)["taskDefinition"]["containerDefinitions"][0]["image"]
    return {"api": api["CodeSha256"], "infer": infer["CodeSha256"], "train": image.rpartition(":")[2]}


def test_a_hotfix_and_the_way_back_are_two_commands_at_most(stack: Stack) -> None:
    before = running(stack)
    said = stack.play("deploy_volatility", fails=True, volatility_release_tag="previous", **DEPLOYED, **PAUSED)
    assert "Environment local has no images from before the last ones." in said and "Traceback" not in said

    # The hotfix: publish, deploy.
    stack.play("publish_images", **HOTFIX)
    stack.play("deploy_volatility", **DEPLOYED, **PAUSED)
    fixed = running(stack)
    assert {*fixed.values()}.isdisjoint(before.values()) and health(stack) == 200

    # Back: one command, and it stays so by itself.
    back = {**DEPLOYED, **PAUSED, "volatility_release_tag": "previous"}
    stack.play("deploy_volatility", **back)
    assert running(stack) == before and health(stack) == 200
    assert "changed=0" in stack.play("deploy_volatility", **back)

    # Deployed again it is the new one; and any by its tag.
    stack.play("deploy_volatility", **DEPLOYED, **PAUSED)
    assert running(stack) == fixed
    said = stack.play("deploy_volatility", fails=True, volatility_release_tag="nothing", **DEPLOYED, **PAUSED)
    found = re.search(r"has no images nothing\. There are, the newest first: hotfix, (\S+)\.", said)
    assert found, said
    stack.play("deploy_volatility", volatility_release_tag=found[1], **DEPLOYED, **PAUSED)
    assert running(stack) == before


def test_a_paused_environment_does_nothing_and_tells_nobody_until_it_is_deployed_again(stack: Stack) -> None:
    # Six hours after the evening's schedule, and longer than the watchdog may be silent.
    executions, count = len(stack.executions()), len(mails(stack.aws))
    stack.aws.advance(30 * 3600)
    assert len(stack.executions()) == executions and len(mails(stack.aws)) == count
    assert health(stack) == 200

    stack.play("deploy_volatility", **DEPLOYED)
    coming = stack.aws.now().astimezone(NEW_YORK).date() + timedelta(days=1)
    while coming.weekday() > 4:
        coming += timedelta(days=1)
    stack.advance_to(str(coming), "18:06")
    assert len(stack.executions()) > executions
    assert any(one["subject"].startswith("ALARM") for one in mails(stack.aws)[count:])  # there are no prices
