"""An operation that waits is answered outside of the lock over moto's state; everything else inside."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from local_aws.application import AtomicApplication
from local_aws.home import Home
from local_aws.services import Services
from local_aws.services.aws import Aws
from tests.unit.local_aws.strict_requests import environ_of


def test_only_what_is_registered_is_answered_outside(tmp_path: Path) -> None:
    lock = threading.RLock()
    aws = Aws(Home(tmp_path), lock, "http://127.0.0.1:1", "process")

    def free() -> bytes:
        """Whether another thread could take the lock."""
        found: list[bool] = []

        def take() -> None:
            found.append(lock.acquire(blocking=False))
            if found[0]:
                lock.release()

        thread = threading.Thread(target=take)
        thread.start()
        thread.join()
        return b"free" if found[0] else b"held"

    application = AtomicApplication(lambda *_: [free(), b" by moto"], aws, Services(aws), lambda _: None)
    aws.outside["firehose", "PutRecord"] = lambda call, start_response: [free(), b" by us"]

    def ask(action: str, **given: Any) -> bytes:
        return b"".join(application(environ_of("firehose", action, given), lambda *_: None))

    assert ask("PutRecord", DeliveryStreamName="one", Record={"Data": b"x"}) == b"free by us"
    assert ask("DescribeDeliveryStream", DeliveryStreamName="one") == b"held by moto"
