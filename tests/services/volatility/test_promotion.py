"""A new model from the gate to the API, in a deployed stack: refused, promoted, rolled back, pinned, and killed in between.

Each test takes the next weeks of the history; trainings that are not the point are made beforehand (trainings.py), and the chain
finds them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from local_aws.testing import EmbeddedAws
from tests.services.volatility import crashes
from tests.services.volatility.service import Service
from tests.services.volatility.stack import mails, state

pytestmark = [pytest.mark.services, pytest.mark.timeout(3000)]

WEEKS = 5


@pytest.fixture(scope="module")
def service(embedded_aws: EmbeddedAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One stack for the whole file."""
    embedded_aws.reset()
    yield Service(embedded_aws, tmp_path_factory.mktemp("volatility"), WEEKS)
    embedded_aws.reset()


def test_a_good_model_is_promoted_by_the_chain_and_the_api_answers_with_it(service: Service) -> None:
    before = service.stack.champion()
    service.answers_with(before)
    session = service.next_week()
    said = service.run(session)
    promoted = service.stack.champion()
    assert promoted != before and session.replace("-", "") in promoted
    assert f"{promoted} serves." in said and f"{session}: training, on Fargate Spot" in said
    service.answers_with(promoted)
    answer = service.ask("/predict", {"as_of_date": session})
    assert (answer.status, answer.body["model_version"]) == (200, promoted)
    assert service.record("-canary.json")["passed"] and state(service.aws, "canary-failed") != "ALARM"

    # Again: nothing is trained, judged or written twice.
    keys, tasks = service.stack.etags(), len(service.stack.tasks())
    assert "was there already" in service.run(session)
    assert service.stack.etags() == keys and len(service.stack.tasks()) == tasks


def test_a_bad_model_is_refused_and_two_in_a_row_alarm(service: Service) -> None:
    before = service.stack.champion()
    said = service.run(service.trained("bad"))
    assert "gate: keep: no candidate may serve" in said and f"{before} serves." in said
    refused = "log-har: gain in QLIKE of -"
    assert refused in said and "over scaled RV20, at least +3.0% wanted: refused" in said
    record = service.record(".json")
    assert record["action"] == "keep" and any(one["words"].startswith(refused) for one in record["checks"])
    service.aws.advance(180)
    count = len(mails(service.aws))
    assert state(service.aws, "gate-refused-twice") == "OK"

    session = service.trained("bad")
    service.run(session)
    text = service.alarmed("gate-refused-twice", count)
    assert "The gate refused the model of two weeks in a row." in text
    # The mail's command says why.
    assert "playbooks/run_volatility.yml -e volatility_run_step=gate" in text
    assert refused in service.stack.play("run_volatility", volatility_run_step="gate")
    # Forecasts go on, by the champion.
    answer = service.ask("/predict", {"as_of_date": session})
    assert (answer.status, answer.body["model_version"]) == (200, before)


def test_a_model_that_fails_its_canary_is_rolled_back_also_when_the_gate_is_killed_at_each_write(
    service: Service,
) -> None:
    champion = service.stack.champion()
    timid = service.made("timid")
    assert f"{timid} serves." in service.stack.play("promote_model", volatility_promote_version=timid)
    service.answers_with(timid)
    session = service.trained("good")
    count = len(mails(service.aws))

    # Killed while it writes the decision, what the canary saw, and the pointer. The chain tries twice more, and gives up.
    said = killed_at(service, session, "gate/", "gate/", "models/champion.json")
    assert f"{session}: the chain failed at Gate: Runtime.ExitError" in said, said
    assert f"volatility_run_date={session}" in said  # what to type
    ready = service.ask("/ready")
    assert (ready.status, ready.body["model_version"]) == (200, timid)
    answer = service.ask("/predict", {"as_of_date": session})
    assert (answer.status, answer.body["model_version"]) == (200, timid)

    said = service.run(session)
    assert "canary: " in said and f"{timid} serves." in said, said
    entries, record = service.history(), service.record("-canary.json")
    assert [one["action"] for one in entries[-2:]] == ["promote", "rollback"]
    assert entries[-1]["version"] == timid and record["version"] not in [one["version"] for one in entries]
    assert entries[-1]["reason"] == f"the canary of {record['version']} failed in 100% of 20 sessions"
    assert "times the one of the model before" in record["failures"][0]["words"]
    text = service.alarmed("canary-failed", count)
    assert "A new model passed the gate and failed its canary of 20 sessions." in text
    assert "It was rolled back at once" in text
    service.answers_with(timid)

    # A person names the one that is to serve, and one that is not stored is refused.
    assert f"{champion} serves." in service.stack.play("rollback_model", volatility_rollback_version=champion)
    service.answers_with(champion)


def killed_at(service: Service, session: str, *keys: str) -> str:
    """Run the chain of a session, and kill the gate at its first write below each of `keys`, one attempt after the other."""

    def kill() -> None:
        for key in keys:
            crashes.function_killed(service.stack, "gate", writing=key)()

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        return service.stack.play(
            "run_volatility", fails=True, volatility_run_date=session, volatility_run_poll_seconds=0.5
        )
    finally:
        thread.join()


def test_a_person_promotes_rolls_back_and_pins(service: Service) -> None:
    champion = service.stack.champion()
    other = service.made("timid")
    for playbook, role in (("promote_model", "promote"), ("rollback_model", "rollback")):
        unknown = {f"volatility_{role}_version": "log-har-20181207-00000000"}
        said = service.stack.play(playbook, fails=True, **unknown)
        assert "no model log-har-20181207-00000000 is stored. There are: log-har" in said
        assert "Traceback" not in said and "Once that is mended" not in said
        assert service.stack.champion() == champion
    reason = {"volatility_promote_reason": "a hotfix"}
    assert f"{other} serves." in service.stack.play("promote_model", volatility_promote_version=other, **reason)
    assert service.history()[-1]["reason"] == "a hotfix"
    assert f"{champion} serves." in service.stack.play("rollback_model", volatility_rollback_reason="it was worse")
    assert service.history()[-1] | {"since": ""} == {
        "version": champion, "since": "", "action": "rollback", "reason": "it was worse", "decision": "",
    }  # fmt: skip

    # A pin holds whatever the champion is, in the chain and in the API.
    service.stack.play(
        "deploy_volatility",
        **{**service.deployed, "volatility_api_model_version": other, "volatility_pipeline_model_version": other},
    )
    assert service.ask("/info").body["model_version"] == other and service.stack.champion() == champion
    session = service.next_week()
    service.run(session)
    assert service.ask("/predict", {"as_of_date": session}).body["model_version"] == other
