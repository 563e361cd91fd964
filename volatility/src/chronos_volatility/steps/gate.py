"""`volatility gate`: decide which model serves, or roll back. Exit code 1 when the canary failed."""

from __future__ import annotations

import argparse

from chronos_volatility.gate import champion
from chronos_volatility.gate.run import judge
from chronos_volatility.models import training
from chronos_volatility.steps.options import add_common, now_of, storage_of

FAILED = 1  # the exit code when a model failed its canary


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this step."""
    add_common(parser)
    parser.add_argument("--training", metavar="NAME", help="the training to judge (default: the latest)")
    parser.add_argument(
        "--rollback",
        nargs="?",
        const="",
        metavar="VERSION",
        help="let an earlier version serve (default: the one before)",
    )
    parser.add_argument("--reason", default="by hand", help="why, for the history")


def run(options: argparse.Namespace) -> int:
    """Judge, or roll back, and say what was done."""
    storage, now = storage_of(options), now_of(options)
    if options.rollback is not None:
        version = champion.rollback(storage, to=options.rollback or None, reason=options.reason, now=now)
        print(f"{version} serves.")
        return 0
    found = judge(storage, options.training or training.latest(storage), now=now)
    record = found.record
    for check in record["checks"]:
        print(f"  {check['words']}")
    print(f"{record['action']}: {record['chosen'] or 'no model'} serves: {record['reason']}.")
    if not found.new:
        print("This was decided before; nothing was written.")
    if found.canary is None:
        return 0
    report = found.canary
    print(f"canary: {len(report['failures'])} of {report['sessions']} sessions failed")
    if report["passed"]:
        return 0
    for failure in report["failures"]:
        print(f"  {failure['session']}: {failure['words']}")
    print(f"ALARM: {record['chosen']} failed its canary; {found.rolled_back_to or record['chosen']} serves.")
    return FAILED
