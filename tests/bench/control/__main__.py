"""`python -m tests.bench.control`: the operator's commands as ratios, measured on one machine in one go.

Exit code 0 whether targets are met or not. It ends with the reason when a plain script does not send the requests that
its command sends: then the two are no longer comparable, and the script has to follow.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from chronos_training.core import layout
from chronos_training.core.output import run
from local_aws.home import REPOSITORY_ROOT
from tests.bench.table import Row, Section, Target

from .account import ENV, Counts, Timed, TimedAccount

PAGE = REPOSITORY_ROOT / "docs/bench-control.md"

HERE = Path(__file__).parent
PLAIN, STOCK = HERE / "plain.py", HERE / "stock_provision.yml"
COMMANDS = """Whole commands, from the start of the process to its end, one after the other against an embedded AWS that answers
in milliseconds: what is compared is what the commands cost here. The plain script (tests/bench/control/plain.py) sends the
same AWS requests and does nothing else; that it sends the same ones is counted by the embedded AWS in every round."""
PROVISION = """Nothing is left to do for either. The stock modules (tests/bench/control/stock_provision.yml) make the same resources,
except the schedule group, for which there is no module; they do not read back and check what there is, as ours does at the end."""

STACK = HERE / "stock_provision_volatility.yml"
VOLATILITY = """The same for playbooks/provision_volatility.yml and tests/bench/control/stock_provision_volatility.yml: a key, a bucket,
secrets, a security group, twelve roles with their policies, parameters. GitHub's identity provider is in neither."""


def commands(account: TimedAccount, rounds: int) -> Section:
    """Take each command and its plain script in turn."""
    section = Section("Commands", COMMANDS)
    ways: dict[str, tuple[float, Callable[[], Timed], Callable[[], Timed], Callable[[], None]]] = {
        "launch": (
            2,
            lambda: account.play("playbooks/launch_training.yml"),
            lambda: _plain(account, "launch"),
            lambda: None,
        ),
        "monitor": (
            2,
            lambda: account.play("playbooks/monitor_training.yml", training_monitor_follow="none"),
            lambda: _plain(account, "monitor"),
            account.active_run,
        ),
        "verify": (
            2,
            lambda: account.play("playbooks/verify_cleanup.yml"),
            lambda: _plain(account, "verify"),
            lambda: None,
        ),
    }
    for name, (limit, ours, plain, prepare) in ways.items():
        taken: list[tuple[Timed, Timed]] = []
        for number in _rounds(name, rounds):
            pair = []
            for way in (ours, plain) if number % 2 else (plain, ours):
                prepare()
                pair.append(way())
                account.clear()
            mine, theirs = pair if number % 2 else reversed(pair)
            _same(name, mine.requests, theirs.requests)
            taken.append((mine, theirs))
        rows = _rows(name, taken, "plain boto3")
        section.rows += rows
        section.targets.append(Target(f"{name}: ours / plain boto3", rows[0].median / rows[1].median, limit))
    return section


def provision(account: TimedAccount, rounds: int) -> Section:
    """Take an idempotent provision and the stock modules in turn."""
    section, taken = Section("Provision, with nothing to do", PROVISION), []
    stock = str(STOCK.relative_to(REPOSITORY_ROOT))
    account.play(stock, stock=True, training_env="stock")  # makes what the rounds then find
    for _ in _rounds("provision", rounds):
        ours = account.play("playbooks/provision_infrastructure.yml")
        taken.append((ours, account.play(stock, stock=True, training_env="stock")))
    section.rows = _rows("provision", taken, "stock modules")
    ratio = section.rows[0].median / section.rows[1].median
    section.targets = [Target("provision: ours / stock modules", ratio, 0.5)]
    return section


def volatility(account: TimedAccount, rounds: int) -> Section:
    """Take an idempotent provision of the volatility stack and the stock modules in turn."""
    section, taken = Section("Provision of the volatility stack, with nothing to do", VOLATILITY), []
    stock = str(STACK.relative_to(REPOSITORY_ROOT))
    account.play("playbooks/provision_volatility.yml")
    account.play(stock, stock=True, training_env="stock")
    for _ in _rounds("volatility", rounds):
        ours = account.play("playbooks/provision_volatility.yml")
        taken.append((ours, account.play(stock, stock=True, training_env="stock")))
    section.rows = _rows("provision", taken, "stock modules")
    ratio = section.rows[0].median / section.rows[1].median
    section.targets = [Target("volatility: ours / stock modules", ratio, 0.5)]
    return section


def _plain(account: TimedAccount, command: str) -> Timed:
    order = account.folder / "order.json"
    order.write_text(json.dumps(_order(account)))
    return account.script(PLAIN, command, str(order))


def _order(account: TimedAccount) -> dict[str, Any]:
    """Return what the plain scripts are told."""
    now = datetime.now(timezone.utc)
    run_id = layout.new_run_id(now)
    tags = {"Project": "Chronos-Training", "Environment": ENV, "RunId": run_id}
    published = (
        layout.env_current_key("chronos"),
        layout.RUNTIME_PACKAGE_CURRENT,
        layout.dataset_manifest_key("birthdays"),
    )
    return {
        "env": ENV, "bucket": account.bucket, "project": tags["Project"], "tags": tags, "run_id": run_id,
        "config": "birthdays_tiny_cpu", "published": published, "instance_type": "m5.large", "image_parameter": account.image,
        "run_spec_key": layout.run_prefix(ENV, run_id) + "run_spec.json",
        "audit_key": layout.audit_key(ENV, now, "launch", "bench"), "run_spec_body": "{}\n",
        "user_data": "#!/bin/sh\ntrue\n", "deadline": (now + timedelta(hours=12)).strftime("at(%Y-%m-%dT%H:%M:%S)"),
    }  # fmt: skip


def _same(name: str, ours: Counts, plain: Counts) -> None:
    """SystemExit unless both sent the same requests."""
    if ours != plain:
        more, fewer = ours - plain, plain - ours
        raise SystemExit(
            f"bench: {name} and its plain script differ: only ours sends {dict(more)}, only the script {dict(fewer)}."
            f" Make {PLAIN.relative_to(REPOSITORY_ROOT)} send what the command sends."
        )


def _rows(name: str, taken: list[tuple[Timed, Timed]], other: str) -> list[Row]:
    ours, theirs = zip(*taken, strict=True)
    return [
        Row(f"{name}: {way}", [one.seconds for one in side], f"{sum(side[-1].requests.values())} requests")
        for way, side in (("ours", ours), (other, theirs))
    ]


def _rounds(name: str, rounds: int) -> Iterator[int]:
    for number in range(rounds):
        print(f"bench: {name}, round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        yield number


PARTS = {"commands": commands, "provision": provision, "volatility": volatility}


def main() -> None:
    """Measure, print, and write the page if asked to."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.control", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="which parts (default: all)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each way is taken (default: 5)")
    parser.add_argument("--write", action="store_true", help="write docs/bench-control.md")
    options = parser.parse_args()
    load, sections = f"{os.getloadavg()[0]:.1f}", []
    with tempfile.TemporaryDirectory(prefix="chronos-bench-") as folder:
        account = TimedAccount(Path(folder))
        try:
            for part in options.parts or PARTS:
                sections.append(PARTS[part](account, options.rounds))
                print("\n" + sections[-1].terminal(), flush=True)
        finally:
            account.close()
    if options.write:
        machine = f"{os.cpu_count()} cores ({platform.machine()}), load {load} before"
        head = f"# How fast the commands are\n\nWritten by `make bench-control ARGS=--write` on {datetime.now(timezone.utc).date()}: {machine}.\n"
        PAGE.write_text("\n".join([head, *(section.markdown() for section in sections)]), encoding="utf-8")
        print(f"written: {PAGE.relative_to(REPOSITORY_ROOT)}")


if __name__ == "__main__":
    raise SystemExit(run(main))
