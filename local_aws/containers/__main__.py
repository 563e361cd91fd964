"""Build, push and log in, with docker's own words: `python -m local_aws.containers build -t REF CONTEXT`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from local_aws.containers import containerfile, tools
from local_aws.containers.layer_cache import LayerCache
from local_aws.containers.oci import ARCHITECTURE, ImageError
from local_aws.containers.process_builder import ProcessBuilder
from local_aws.containers.pushing import login, push
from local_aws.containers.store import Store
from local_aws.home import LocalAwsError, current_home

LEVELS = ("process", "container")
LEVEL_VARIABLE = "LOCAL_AWS_CONTAINER_LEVEL"


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (ImageError, LocalAwsError) as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local_aws.containers", description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="command")
    build = commands.add_parser("build", help="Build an image from a Containerfile.")
    build.set_defaults(run=_build)
    build.add_argument("context", type=Path)
    build.add_argument("-f", "--file", type=Path, help="default: Containerfile or Dockerfile in the context")
    build.add_argument("-t", "--tag", action="append", required=True)
    build.add_argument("--target", default="")
    build.add_argument("--build-arg", action="append", default=[], metavar="NAME[=VALUE]")
    build.add_argument("--label", action="append", default=[], metavar="NAME=VALUE")
    build.add_argument("--platform", default="")
    build.add_argument("--provenance", default="", help="for docker")
    build.add_argument("--no-cache", action="store_true", help="carry out every instruction again")
    build.add_argument("-q", "--quiet", action="store_true")
    build.add_argument(
        "--level",
        choices=LEVELS,
        default=os.environ.get(LEVEL_VARIABLE, LEVELS[0]),
        help=f"process: packages and files; container: a real image, where a tool is there (or {LEVEL_VARIABLE})",
    )
    pushing = commands.add_parser("push", help="Push an image that was built.")
    pushing.set_defaults(run=_push)
    pushing.add_argument("reference")
    signing = commands.add_parser("login", help="Remember credentials for a registry.")
    signing.set_defaults(run=_login)
    signing.add_argument("registry")
    signing.add_argument("-u", "--username", required=True)
    signing.add_argument("--password-stdin", action="store_true", required=True)
    return parser


def _store() -> Store:
    return Store(current_home().path / "built")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _build(options: argparse.Namespace) -> None:
    wanted = f"linux/{ARCHITECTURE}"
    if options.platform not in ("", wanted):
        raise ImageError(f"--platform {options.platform}: this computer builds for {wanted}")
    file = options.file or next(
        (one for name in ("Containerfile", "Dockerfile") if (one := options.context / name).is_file()), None
    )
    if file is None:
        raise ImageError(f"there is no Containerfile in {options.context}")
    arguments = dict(_argument(text) for text in options.build_arg)
    if options.level == "container":
        tool, why = tools.choose()
        if tool is not None:
            _say(f"building a real image with {tool.name}" + (f" ({why})" if why else ""))
            stages = containerfile.stages(containerfile.read(file), arguments)
            tool.build(file, _words(options), stages, _say)
            return
        _say(f"no real image can be built here ({why}); building for level process")
    else:
        _say("building for level process: this computer's Python, the image's packages and files")
    labels = dict(text.partition("=")[::2] for text in options.label)
    cache = LayerCache(used=not options.no_cache)
    builder = ProcessBuilder(
        file, options.context, arguments, labels, (lambda _: None) if options.quiet else _say, cache
    )
    print(builder.build(options.target, _store(), options.tag))


def _argument(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    return name, value if equals else os.environ.get(name, "")


def _words(options: argparse.Namespace) -> list[str]:
    words: list[str] = []
    for name in ("tag", "build_arg", "label"):
        words += [part for value in getattr(options, name) for part in (f"--{name.replace('_', '-')}", value)]
    for name in ("target", "platform", "provenance"):
        words += [f"--{name}", getattr(options, name)] if getattr(options, name) else []
    return [
        *words,
        *(["--no-cache"] if options.no_cache else []),
        *(["--quiet"] if options.quiet else []),
        str(options.context),
    ]


def _push(options: argparse.Namespace) -> None:
    image = _store().find(options.reference)
    if image is not None:
        push(image, options.reference)
        print(f"{options.reference.rpartition(':')[2]}: digest: {image.digest}")
        return
    tool = next((one for one in tools.TOOLS if not one.why_not() and one.has(options.reference)), None)
    if tool is None:
        raise ImageError(f"no image {options.reference} has been built here")
    tool.push(options.reference)


def _login(options: argparse.Namespace) -> None:
    password = sys.stdin.read().strip()
    login(options.registry, options.username, password)
    print("Login Succeeded")


if __name__ == "__main__":
    raise SystemExit(main())
