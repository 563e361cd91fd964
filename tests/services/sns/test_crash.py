"""A daemon that is killed: messages on their way arrive after the next start."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from local_aws.home import Home
from local_aws.testing import EmbeddedAws, wait_for
from tests.services.sns.endpoint import endpoint
from tests.services.sns.test_delivery import settle, visit


@pytest.mark.services
def test_a_message_that_was_being_tried_arrives(tmp_path: Path) -> None:
    own = EmbeddedAws(tmp_path / "home")
    try:
        sns = own.client("sns")
        topic = sns.create_topic(Name="t")["TopicArn"]
        with endpoint() as there:
            sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=there.url)
            settle(own)
            visit(there.bodies()[0]["SubscribeURL"])
            there.statuses = [500]
            sns.publish(TopicArn=topic, Message="the-message")
            settle(own)
            folder = Home(own.home).state
            wait_for(
                lambda: any(b"the-message" in file.read_bytes() for file in folder.glob("moto.sns*")),
                "the message on disk",
            )
            os.kill(own.server.pid, signal.SIGKILL)
            there.seen.clear()
            EmbeddedAws(own.home)
            wait_for(lambda: there.seen, "the message")
            assert [said["Message"] for said in there.bodies()] == ["the-message"]
    finally:
        own.stop()
