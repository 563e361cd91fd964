"""Publish what the instances run: the Python environment and the agent package, each by digest, the pointer last."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import chronos_training
from chronos_training.control.publish import agent, environment, interpreter, publishing, s5cmd_program, squashfs
from chronos_training.core import aws, layout
from chronos_training.core.aws_types import S3Client
from chronos_training.core.errors import ConfigurationError, TrainingError
from chronos_training.core.objects import NotOurs, read_json

TARGETS = ("this_machine", "linux-x86_64")
TORCH_BUILDS = ("cuda", "cpu")
Emit = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What to publish where.

    `interpreter` is `current` (a copy of this machine's Python, for target `this_machine` only) or the folder of a
    relocatable one. `project` is the checkout: training/ below it has the lock, .cache/ the builds. `torch` is the build
    of torch for instances: cuda or cpu. `kind` is what it trains: chronos, or autogluon too. `archive` has it published as an
    archive too, for instances that cannot mount an image.
    """

    bucket: str
    project: Path
    region: str | None = None
    interpreter: str = ""
    target: str = "linux-x86_64"
    torch: str = "cuda"
    kind: str = "chronos"
    archive: bool = False


def default_project() -> Path:
    """Return the checkout that this package is installed from."""
    return Path(chronos_training.__file__).resolve().parents[3]


def build_target(
    project: Path, *, chosen: str, target: str, torch: str = "cuda", kind: str = "chronos"
) -> environment.Target:
    """Return what is to be built. ConfigurationError when interpreter and target do not fit each other."""
    if kind not in layout.RUNTIME_KINDS:
        raise ConfigurationError(
            f"training_runtime_kind is {kind!r}, but must be one of {', '.join(layout.RUNTIME_KINDS)}."
        )
    if kind == "autogluon" and target == "this_machine" and sys.platform != "linux":
        raise ConfigurationError(
            "training_runtime_kind autogluon is locked for Linux, and this machine does not run Linux."
        )
    if torch not in TORCH_BUILDS:
        raise ConfigurationError(f"training_runtime_torch is {torch!r}, but must be one of {', '.join(TORCH_BUILDS)}.")
    if target not in TARGETS:
        raise ConfigurationError(f"Unknown runtime target {target!r}: it must be one of {', '.join(TARGETS)}.")
    if chosen == "current" and target != "this_machine":
        raise ConfigurationError(
            f"training_runtime_interpreter is 'current', a copy of this machine's Python, but the target is {target}.",
            hint="Set training_runtime_interpreter to the folder of a relocatable Python 3.11 for x86_64 Linux.",
        )
    if not chosen:
        raise ConfigurationError(
            "training_runtime_interpreter is not set: the instances need a Python to run.",
            hint="Give the folder of a relocatable Python 3.11 for x86_64 Linux,"
            " as `uv python install --install-dir DIR cpython-3.11-linux-x86_64-gnu` makes it.",
        )
    python = interpreter.current() if chosen == "current" else interpreter.from_folder(Path(chosen).expanduser())
    return environment.Target(
        project / "training", python, for_this_machine=chosen == "current", torch=torch, kind=kind
    )


def publish_runtime(request: Request, *, check_mode: bool, emit: Emit) -> dict[str, Any]:
    """Publish environment and agent package unless the bucket has them.

    Returns `changed`, `diff`, and `environment` and `package` as their current.json say (predicted in check mode, where
    an environment that is not built yet has only its build_id). Raises TrainingError; a pointer is written last, so
    after an error the bucket still names what it named before.
    """
    target = build_target(
        request.project,
        chosen=request.interpreter,
        target=request.target,
        torch=request.torch,
        kind=request.kind,
    )
    s3 = aws.client("s3", region=request.region)
    if check_mode:
        publishing.tell_missing_bucket(s3, request.bucket, emit)
    pointers = (layout.env_current_key(request.kind), layout.RUNTIME_PACKAGE_CURRENT)
    before_env, before_package = (_current(s3, request.bucket, key, check_mode) for key in pointers)
    env = _publish_environment(s3, request, target, before_env, check_mode, emit)
    package = _publish_package(s3, request, before_package, check_mode, emit)
    before = {"environment": _summary(before_env), "package": _summary(before_package)}
    after = {"environment": _summary(env), "package": _summary(package)}
    return {
        "changed": env != before_env or package != before_package,
        "diff": {"before": before, "after": after},
        "environment": env,
        "package": package,
    }


def _current(s3: S3Client, bucket: str, key: str, check_mode: bool) -> dict[str, Any] | None:
    """Return the pointer at `key` if the object it names is there."""
    try:
        found = read_json(s3, bucket, key)
    except NotOurs:
        return None
    except TrainingError as error:
        # Before the first provisioning, a check predicts that everything will be published.
        if check_mode and aws.error_code(error.__cause__ or error) == "NoSuchBucket":
            return None
        raise
    # A pointer in another form counts as none: it is written again.
    if found and {"key", "size", "sha256"} <= set(found):
        named = [found, *filter(None, (found.get("image"), found.get("archive")))]
        objects = {(one["key"], one["size"], one["sha256"]) for one in named}
        whole = all(publishing.is_there(s3, bucket, *one) for one in objects)
        return found if whole else None
    return None


def _summary(pointer: dict[str, Any] | None) -> dict[str, Any]:
    wanted = ("build_id", "kind", "sha256", "size", "python", "torch", "version")
    return {key: pointer[key] for key in wanted if key in pointer} if pointer else {}


def _publish_environment(
    s3: S3Client,
    request: Request,
    target: environment.Target,
    current: dict[str, Any] | None,
    check_mode: bool,
    emit: Emit,
) -> dict[str, Any]:
    same = current if current and current.get("build_id") == target.build_id and "archive" in current else None
    # A publication from a machine without mksquashfs is completed by one that has it.
    if same and (same["image"] or not squashfs.can_pack()) and (same["archive"] or not request.archive):
        current = same
        emit(f"environment: already published ({_size(current)}, Python {current['python']}, torch {current['torch']})")
        return current
    cache = request.project / ".cache"
    if check_mode:
        built = environment.find(target, cache)
    else:
        built = environment.build(target, cache, emit, archive=request.archive)
    if built is None:
        emit("environment: would be built and published")
        return {"build_id": target.build_id}
    about = built.about
    wanted = {"image": built.image, "archive": built.archive if request.archive or not built.image else None}
    forms = {form: _form_pointer(about[form], path) if path else None for form, path in wanted.items()}
    if same and not forms["archive"]:
        forms["archive"] = same["archive"]  # is in the bucket
    first = forms["image"] or forms["archive"]
    assert first is not None
    prefix = layout.env_prefix(first["sha256"])
    names = ("build_id", "python", "platform", "torch", "created_at", "packages")
    pointer = {"schema_version": 1, **first, "unpacked_size": built.unpacked_size, **forms}
    # Of the target: a build that was made before there were two kinds does not say.
    pointer |= {"kind": target.kind, **{name: about[name] for name in names}}
    if check_mode:
        emit(f"environment: would be uploaded ({_size(pointer)})")
        return pointer
    for form, path in wanted.items():
        to = forms[form]
        if path and to:
            _upload(s3, request.bucket, to["key"], path, to["sha256"], emit)
    for path in (target.training / "pyproject.toml", target.training / "poetry.lock", built.metadata):
        content = path.read_bytes()
        publishing.put(s3, request.bucket, prefix + path.name, content, hashlib.sha256(content).hexdigest())
    publishing.put_json(s3, request.bucket, layout.env_current_key(target.kind), pointer)
    return pointer


def _form_pointer(about: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return sha256, size and key of a packed environment: below its own digest, as two versions of a program may differ."""
    digest = about["sha256"]
    return {"sha256": digest, "size": about["size"], "key": layout.env_prefix(digest) + path.name}


def _publish_package(
    s3: S3Client, request: Request, current: dict[str, Any] | None, check_mode: bool, emit: Emit
) -> dict[str, Any]:
    archive = agent.agent_archive(_s5cmd(request, emit))
    digest = hashlib.sha256(archive).hexdigest()
    if current and current["sha256"] == digest:
        emit(f"agent package: already published ({_size(current)})")
        return current
    key = layout.package_prefix(digest) + agent.ARCHIVE_NAME
    pointer: dict[str, Any] = {
        "schema_version": 1,
        "sha256": digest,
        "key": key,
        "size": len(archive),
        "version": chronos_training.__version__,
        "git_commit": agent.git_commit(request.project),
        "created_at": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if check_mode:
        emit(f"agent package: would be uploaded ({_size(pointer)})")
        return pointer
    _upload(s3, request.bucket, key, archive, digest, emit)
    publishing.put_json(s3, request.bucket, layout.RUNTIME_PACKAGE_CURRENT, pointer)
    return pointer


def _s5cmd(request: Request, emit: Emit) -> bytes | None:
    if request.target != "this_machine":
        return s5cmd_program.for_instances(default_project(), request.project / ".cache")
    program = s5cmd_program.for_this_machine()
    if program is None:
        emit("agent package: without s5cmd, which is not available for this machine; instances use boto3")
    return program


def _upload(s3: S3Client, bucket: str, key: str, content: Path | bytes, sha256: str, emit: Emit) -> None:
    """Upload unless an earlier, interrupted publication already did."""
    size = content.stat().st_size if isinstance(content, Path) else len(content)
    if publishing.is_there(s3, bucket, key, size, sha256):
        return
    begun = time.monotonic()
    publishing.put(s3, bucket, key, content, sha256)
    emit(f"uploaded s3://{bucket}/{key} ({size / 1e6:,.1f} MB): {time.monotonic() - begun:.0f} s")


def _size(pointer: dict[str, Any]) -> str:
    return f"{pointer['size'] / 1e6:,.1f} MB"
