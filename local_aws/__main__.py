"""Command line of the embedded AWS: `python -m local_aws start | stop | status | endpoint | env | …`."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from chronos_training.core.clock import duration
from chronos_training.core.commands import local_aws as typed
from chronos_training.core.output import run
from local_aws import control, fault_injection, mail
from local_aws.home import Home, LocalAwsError, Server, client_environment, current_home, point_at, write_atomically
from local_aws.levels.choice import BEST, NAMES


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    home = current_home()
    try:
        return int(options.run(home, options))
    except LocalAwsError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local_aws", description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(name: str, run: object, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        return sub

    starting = command("start", _start, "Start the embedded AWS unless it runs; print its endpoint.")
    starting.add_argument("--level", choices=NAMES, default="", help="how real instances are (default: process)")
    starting.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="an injected fault (local_aws/fault_injection.py), also to one that runs already: end_seconds=420 ends instances as slowly as "
        "EC2 ends those with a GPU; end_seconds=0 takes it back",
    )
    command("stop", _stop, "End the embedded AWS and every instance in it.")
    status = command("status", _status, "Say whether it runs, where, and which instances are up. Exit code 3 if not.")
    status.add_argument("--json", action="store_true", help="machine-readable")
    command("endpoint", _endpoint, "Print the endpoint's URL, nothing else. Exit code 1 if it does not run.")
    command("env", _env, f'Print what points a shell at it: eval "$({typed("env")})".')
    logs = command("logs", _logs, "Print the daemon's log, or the console of one instance.")
    logs.add_argument("instance", nargs="?", help="an instance id (i-…); without it the daemon's log")
    logs.add_argument("-f", "--follow", action="store_true", help="keep printing lines as they are added, until Ctrl-C")
    command("reset", _reset, "Stop, then delete everything the embedded AWS has stored.")
    requests = command("requests", _requests, "Print how many requests came, by caller and operation.")
    requests.add_argument("--json", action="store_true", help="machine-readable")
    requests.add_argument("--forget", action="store_true", help="and count from zero from now on")
    clock = command("clock", _clock, "Show AWS's time and what comes next; --advance lets time pass at once.")
    clock.add_argument(
        "--advance", metavar="TIME", help="so many seconds (90s, 15m, 6h, 30d), or until 2026-12-01T18:00"
    )
    github = command("github-token", _github_token, "Print the token that a job of a GitHub workflow would be given.")
    github.add_argument("repository", help="owner/name, or owner@number/name@number with immutable subjects")
    github.add_argument("--ref", default="refs/heads/main", help="what the workflow runs for (default: %(default)s)")
    github.add_argument("--environment", default="", help="the job's environment, if it has one")
    mailing = command("mail", _mail, "List the mail that SNS has sent, or print one.")
    mailing.add_argument("number", nargs="?", type=int, help="which one to print")
    mailing.add_argument("--json", action="store_true", help="machine-readable, with the texts")
    mailing.add_argument("-f", "--follow", action="store_true", help="print each that comes, until Ctrl-C")
    spot = command("spot-notice", _spot_notice, "Announce a Spot interruption to an instance, or interrupt a task.")
    spot.add_argument("instance", help="an instance id (i-…), or the id or ARN of a task of Fargate Spot")
    spot.add_argument("--action", choices=["terminate", "stop", "hibernate"], default="terminate")
    spot.add_argument("--in-seconds", type=int, default=120)
    return parser


def _start(home: Home, options: argparse.Namespace) -> int:
    wanted = fault_injection.with_settings(fault_injection.read(home), options.set)
    server, new = control.start(home, options.level)
    if options.set:
        fault_injection.write(home, wanted)
    said = "started" if new else "already running"
    changed = f" Set: {', '.join(options.set)}." if options.set else ""
    print(f"Embedded AWS {said}; instances are of level {server.level}.{changed}", file=sys.stderr)
    print(server.endpoint)
    return 0


def _stop(home: Home, _: argparse.Namespace) -> int:
    print("Embedded AWS stopped; nothing is left running." if control.stop(home) else "Embedded AWS was not running.")
    return 0


def _status(home: Home, options: argparse.Namespace) -> int:
    server = control.find(home)
    said = control.health(server.endpoint) if server else None
    if options.json:
        print(json.dumps({"running": bool(said), "home": str(home.path), **(said or {})}, indent=2))
    elif said and server:
        print(f"Embedded AWS runs at {server.endpoint} (process {server.pid}, since {server.started_at}).")
        print(f"State folder: {home.path}")
        print(f"Level of instances: {server.level}{_wanted(server)}")
        for name, value in fault_injection.unusual(home).items():
            print(f"Injected fault: {name}={json.dumps(value)}")
        ahead = said.get("clock_ahead")
        if isinstance(ahead, float) and ahead > 1:
            print(f"AWS's time is ahead of this computer's by {duration(ahead)}")
        for line in _at_work(said):
            print(f"  {line}")
    else:
        print(f"Embedded AWS is not running. Start it: {typed('start')}")
    return 0 if said else 3


def _at_work(said: dict[str, Any]) -> Iterator[str]:
    """A line for each thing that runs."""
    for machine in said.get("machines", []):
        yield f"{machine['instance_id']}  {machine['state']:<13}  {machine['process']}"
    for task in said.get("tasks", []):
        running = ", ".join(f"{name}: process {pid}" for name, pid in task["processes"].items())
        yield f"task {task['task'].partition(':task/')[2]}  {task['status']:<13}  {running}"
    for function in said.get("functions", []):
        yield f"function {function['function'].partition(':function:')[2]}  {function['state']:<13}  process {function['process']}"
    for execution in said.get("executions", []):
        yield f"execution {execution['execution'].partition(':execution:')[2]}  running"


def _wanted(server: Server) -> str:
    return "" if server.asked_level in (server.level, BEST) else f" ({server.asked_level} does not work here)"


def _endpoint(home: Home, _: argparse.Namespace) -> int:
    server = control.find(home)
    if server is None:
        raise LocalAwsError(f"The embedded AWS is not running. Start it: {typed('start')}")
    print(server.endpoint)
    return 0


def _env(home: Home, _: argparse.Namespace) -> int:
    """Lines for `eval`: exports, and unset for what would lead back to the person's own account."""
    server = control.find(home)
    if server is None:
        raise LocalAwsError(f"The embedded AWS is not running. Start it: {typed('start')}")
    wanted = dict(os.environ)
    point_at(server.endpoint, wanted)
    for name in sorted(os.environ.keys() - wanted.keys()):
        print(f"unset {name}")
    for name, value in sorted(client_environment(server.endpoint).items()):
        print(f"export {name}={shlex.quote(value)}")
    return 0


def _logs(home: Home, options: argparse.Namespace) -> int:
    path = home.instance(options.instance) / "console.log" if options.instance else home.log_file
    if not path.exists():
        raise LocalAwsError(f"There is no log at {path}.")
    _print_file(path, follow=options.follow)
    return 0


def _print_file(path: Path, *, follow: bool) -> None:
    with path.open(errors="replace") as lines, contextlib.suppress(BrokenPipeError):
        while True:
            text = lines.read()
            if text:
                print(text, end="", flush=True)
            elif follow:
                time.sleep(0.3)
            else:
                return


def _reset(home: Home, _: argparse.Namespace) -> int:
    print(f"Deleted {home.path}." if control.reset(home) else "There was nothing to delete.")
    return 0


def _requests(home: Home, options: argparse.Namespace) -> int:
    from local_aws.request_counts import table  # needs moto, which the other commands start without

    server = control.find(home)
    if server is None:
        raise LocalAwsError(f"The embedded AWS is not running. Start it: {typed('start')}")
    answer = control.ask(server.endpoint, control.REQUESTS_PATH)
    print(json.dumps(answer, indent=2) if options.json else "\n".join(table(answer)))
    if options.forget:
        control.ask(server.endpoint, control.REQUESTS_PATH, "DELETE")
    return 0


def _mail(home: Home, options: argparse.Namespace) -> int:
    box = mail.read(home)
    if options.json:
        print(json.dumps([asdict(one) for one in box], indent=2))
    elif options.number is not None:
        if not 1 <= options.number <= len(box):
            raise LocalAwsError(f"There is no mail {options.number}; there are {len(box)}.")
        print(_as_text(box[options.number - 1]))
    elif options.follow:
        seen = len(box)
        while True:
            for one in mail.read(home)[seen:]:
                print(_as_text(one), flush=True)
                seen += 1
            time.sleep(0.3)
    else:
        for number, one in enumerate(box, start=1):
            print(f"{number:>3}  {one.date}  {one.to}  {one.subject}")
        print(
            f"{len(box)} mail{'' if len(box) == 1 else 's'} in {mail.folder(home)}."
            + (f" Read one: {typed('mail 1')}" if box else "")
        )
    return 0


def _as_text(one: mail.Mail) -> str:
    return f"From: {one.sender}\nTo: {one.to}\nDate: {one.date}\nSubject: {one.subject}\n\n{one.text}"


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _clock(home: Home, options: argparse.Namespace) -> int:
    server = control.find(home)
    if server is None:
        raise LocalAwsError(f"The embedded AWS is not running. Start it: {typed('start')}")
    if options.advance:
        number, unit = options.advance[:-1], options.advance[-1:]
        seconds = number.replace(".", "", 1).isdigit() and unit in _UNITS
        wanted = {"seconds": float(number) * _UNITS[unit]} if seconds else {"to": options.advance}
        answer = control.tell(server.endpoint, control.CLOCK_PATH, wanted)
        if "error" in answer:
            raise LocalAwsError(str(answer["error"]))
    else:
        answer = control.ask(server.endpoint, control.CLOCK_PATH)
    print(f"AWS's time: {answer['now']} ({answer['ahead_seconds']:.0f} s ahead of this computer's)")
    for what, count in dict(answer["under_way"]).items():  # type: ignore[call-overload]
        print(f"  under way: {what}" + (f", {count} times" if count > 1 else ""))
    for timer in list(answer["next"]):  # type: ignore[call-overload]
        print(f"  {timer['at']}  {timer['what']}")
    return 0


def _github_token(home: Home, options: argparse.Namespace) -> int:
    from local_aws.services.sts.github import token  # needs a library, which the other commands start without

    print(token(home, options.repository, ref=options.ref, environment=options.environment))
    return 0


def _spot_notice(home: Home, options: argparse.Namespace) -> int:
    if not options.instance.startswith("i-"):
        return _interrupt_task(home, options.instance)
    folder = home.instance(options.instance)
    if not folder.is_dir():
        raise LocalAwsError(f"No instance {options.instance} has been booted here.")
    when = datetime.now(timezone.utc) + timedelta(seconds=options.in_seconds)
    notice = {"action": options.action, "time": when.strftime("%Y-%m-%dT%H:%M:%SZ")}
    write_atomically(folder / "spot-instance-action.json", json.dumps(notice))
    server = control.find(home)
    if server:
        control.tell(
            server.endpoint, control.SPOT_NOTICE_PATH, {"instance": options.instance, "action": options.action}
        )
    print(f"{options.instance} will read in its metadata: {json.dumps(notice)}")
    return 0


def _interrupt_task(home: Home, task: str) -> int:
    server = control.find(home)
    if server is None:
        raise LocalAwsError(f"The embedded AWS is not running. Start it: {typed('start')}")
    answer = control.tell(server.endpoint, control.SPOT_NOTICE_PATH, {"instance": task})
    if "error" in answer:
        raise LocalAwsError(str(answer["error"]))
    print(f"The task {task} is being interrupted.")
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
