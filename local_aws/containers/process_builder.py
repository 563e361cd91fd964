"""The builder `process`: a Containerfile's stages as folders, and the last one as a real OCI image.

What it makes holds this computer's interpreter by reference and the locked packages by value; it runs on this computer.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import uv

from local_aws.containers import containerfile, copying, running
from local_aws.containers.containerfile import Instruction, Stage, expand
from local_aws.containers.layer_cache import BuiltStage, LayerCache
from local_aws.containers.oci import ARCHITECTURE, PROCESS_AUTHOR, ImageError
from local_aws.containers.store import Store
from local_aws.home import REPOSITORY_ROOT

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PYTHON = re.compile(r"(?:.*/)?python:(?P<version>\d+\.\d+)\S*")
_LAMBDA = re.compile(r"(?:.*/)?lambda[-/]python:(?P<version>\d+\.\d+)\S*")
_SYSTEM = re.compile(r"(?:.*/)?(?:debian|ubuntu|amazonlinux|fedora|alpine|busybox)(?::\S+)?")
_UV = re.compile(r"(?:.*/)?uv(?::\S+)?(?:@\S+)?")
# What an environment is of, beside its packages.
_THIS_PYTHON = (sys.version, getattr(sys, "_base_executable", sys.executable))
_SAID = {"HEALTHCHECK": "nobody asks for its health here", "VOLUME": "its files stay in the image's root", "SHELL": "",
         "ONBUILD": "", "MAINTAINER": ""}  # fmt: skip


def _env(built: BuiltStage) -> dict[str, str]:
    return dict(line.partition("=")[::2] for line in built.config["Env"])


def _set_env(built: BuiltStage, new: Mapping[str, str]) -> None:
    built.config["Env"] = [f"{name}={value}" for name, value in {**_env(built), **new}.items()]


def _functions_group() -> Path:
    """The locked packages that Lambda's Python has: awslambdaric and boto3."""
    words = [sys.executable, str(REPOSITORY_ROOT / "tools/group_packages.py"), "functions"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ImageError(f"the packages of Lambda's Python are missing: {done.stderr.strip()}")
    return Path(done.stdout.strip().splitlines()[-1])


class ProcessBuilder:
    """Builds one Containerfile."""

    def __init__(
        self,
        file: Path,
        context: Path,
        arguments: Mapping[str, str],
        labels: Mapping[str, str],
        say: Callable[[str], None],
        cache: LayerCache,
    ) -> None:
        self._cache = cache
        self._context = context.resolve()
        self._arguments = {"TARGETARCH": ARCHITECTURE, "TARGETOS": "linux", **arguments}
        self._labels = labels
        self._say = say
        self._stages = containerfile.stages(containerfile.read(file), self._arguments)
        self._ignored = copying.ignored_by(context, file)
        self._built: dict[int, BuiltStage] = {}
        self._folder = Path()

    def build(self, target: str, store: Store, names: list[str]) -> str:
        """Build the stage `target` (the last one without) into `store` under `names`; return its digest. ImageError."""
        number = self._number(target) if target else len(self._stages) - 1
        if number is None:
            raise ImageError(f"there is no stage {target!r}; there are {', '.join(one.name for one in self._stages)}")
        with tempfile.TemporaryDirectory(prefix="image-", ignore_cleanup_errors=True) as folder:
            self._folder = Path(folder)
            built = self._stage(number)
            labels = {**built.config.get("Labels", {}), **self._labels}
            if labels:
                built.config["Labels"] = labels
            config = {
                "created": "1970-01-01T00:00:00Z",
                "author": PROCESS_AUTHOR,
                "architecture": ARCHITECTURE,
                "os": "linux",
                "config": built.config,
                "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in built.layers]},
                "history": [{"created": "1970-01-01T00:00:00Z", "created_by": line} for line in built.history],
            }
            return store.add(config, built.layers, names)

    def _number(self, name: str) -> int | None:
        for number, stage in enumerate(self._stages):
            if name.lower() == stage.name.lower() or name == str(number):
                return number
        return None

    def _stage(self, number: int) -> BuiltStage:
        if number not in self._built:
            stage = self._stages[number]
            built = self._from(number, stage)
            known: dict[str, str] = {}
            for place, one in enumerate(stage.instructions, start=1):
                self._say(
                    f"[{stage.name} {place}/{len(stage.instructions)}] {one.name} {' '.join(one.rest.split())[:100]}"
                )
                self._instruction(built, one, known)
            self._built[number] = built
        return self._built[number]

    def _from(self, number: int, stage: Stage) -> BuiltStage:
        root = self._folder / str(number) / "root"
        earlier = self._number(stage.base)
        if earlier is not None and earlier < number:
            return self._stage(earlier).copy(root)
        built = BuiltStage(root, self._cache, config={"Env": [f"PATH={PATH}"], "WorkingDir": "/"})
        name = stage.base.removeprefix("docker.io/").removeprefix("library/")
        for pattern, prefix in ((_LAMBDA, "/var/lang"), (_PYTHON, "/usr/local")):
            found = pattern.fullmatch(name)
            if found:
                self._python(built, name, found["version"], prefix)
                return built
        if name != "scratch" and not _SYSTEM.fullmatch(name):
            raise ImageError(
                f"FROM {stage.base}: the builder `process` knows images of Python and of systems (debian, …). "
                "Build with --level container"
            )
        return built

    def _python(self, built: BuiltStage, name: str, version: str, prefix: str) -> None:
        here = f"{sys.version_info.major}.{sys.version_info.minor}"
        if version != here:
            self._say(f"{name}: this computer's Python {here} takes the place of {version}")
        built.base_prefix = prefix
        of_lambda = prefix == "/var/lang"
        functions = _functions_group() if of_lambda else None

        def lay() -> None:
            running.new_environment(built.root / prefix.lstrip("/"))
            if functions is not None:
                (built.root / "var/task").mkdir(parents=True)
                # Where AWS's image has the runtime's client and boto3, behind what the image brings itself.
                shutil.copytree(functions, built.root / "var/runtime", symlinks=True)
                packages = built.root / "var/lang/lib" / f"python{here}" / "site-packages"
                (packages / "runtime.pth").write_text("../../../../runtime\n")

        if of_lambda:  # https://docs.aws.amazon.com/lambda/latest/dg/python-image.html
            own = {"LAMBDA_TASK_ROOT": "/var/task", "LAMBDA_RUNTIME_DIR": "/var/runtime"}
            _set_env(built, {"PATH": f"/var/lang/bin:{PATH}", **own})
            built.config |= {"WorkingDir": "/var/task", "Entrypoint": ["python", "-m", "awslambdaric"]}
        built.step(f"FROM {name}", [*_THIS_PYTHON, prefix, str(functions)], lay)

    def _instruction(self, built: BuiltStage, one: Instruction, known: dict[str, str]) -> None:
        variables = {**known, **_env(built)}
        if one.name == "RUN":
            self._run(built, one, variables)
        elif one.name in ("COPY", "ADD"):
            self._copy(built, one, variables)
        elif one.name == "ARG":
            known |= containerfile.argument(one, variables, self._arguments)
        elif one.name == "ENV":
            _set_env(built, containerfile.pairs(one, variables))
        elif one.name == "LABEL":
            built.config["Labels"] = {**built.config.get("Labels", {}), **containerfile.pairs(one, variables)}
        elif one.name == "WORKDIR":
            path = os.path.normpath(os.path.join(built.config["WorkingDir"], expand(one.rest, variables)))
            built.config["WorkingDir"] = path
            built.step(
                f"WORKDIR {path}", [], lambda: (built.root / path.lstrip("/")).mkdir(parents=True, exist_ok=True)
            )
        elif one.name == "USER":
            built.config["User"] = expand(one.rest, variables)
        elif one.name in ("ENTRYPOINT", "CMD"):
            words = one.exec_form() or ["/bin/sh", "-c", one.rest]
            built.config["Entrypoint" if one.name == "ENTRYPOINT" else "Cmd"] = words
            if one.name == "ENTRYPOINT":
                built.config.pop("Cmd", None)
        elif one.name == "EXPOSE":
            ports: dict[str, Any] = {
                port if "/" in port else f"{port}/tcp": {} for port in expand(one.rest, variables).split()
            }
            built.config["ExposedPorts"] = {**built.config.get("ExposedPorts", {}), **ports}
        elif one.name == "STOPSIGNAL":
            built.config["StopSignal"] = expand(one.rest, variables)
        elif one.name in _SAID:
            self._say(f"skipped: {one.name}" + (f", because {_SAID[one.name]}" if _SAID[one.name] else ""))
        else:
            raise one.refuse("there is no such instruction")

    def _copy(self, built: BuiltStage, one: Instruction, variables: Mapping[str, str]) -> None:
        words = one.exec_form() or one.rest.split()
        words = [expand(word, variables) for word in words]
        if len(words) < 2:
            raise one.refuse("it takes a source and a destination")
        *sources, destination = words
        if one.name == "ADD" and any("://" in source for source in sources):
            raise one.refuse("the builder `process` fetches nothing. Build with --level container")
        if one.name == "ADD" and any(re.search(r"\.(tar|tgz|tbz|txz|tar\..*)$", source) for source in sources):
            raise one.refuse("the builder `process` unpacks no archives. Build with --level container")
        mode = one.flag("chmod")
        inputs, source_root, ignored = self._source(one, sources, variables)

        def carry_out() -> None:
            copying.copy(
                sources,
                source_root(),
                built.root / os.path.join(built.config["WorkingDir"], destination).lstrip("/"),
                into=destination.endswith(("/", "/.")) or destination == ".",
                ignored=ignored,
                mode=int(mode, 8) if mode else None,
                # Stages are this build's own; the context is somebody's files.
                link=bool(one.flag("from")),
            )

        try:
            built.step(f"{one.name} {' '.join(words)}", [mode, built.config["WorkingDir"], inputs], carry_out)
        except ImageError as error:
            raise one.refuse(str(error)) from error

    def _source(
        self, one: Instruction, sources: list[str], variables: Mapping[str, str]
    ) -> tuple[str, Callable[[], Path], copying.Ignored]:
        """What tells whether the files are the same as before, where they are, and which of them are left out."""
        name = expand(one.flag("from"), variables)
        if not name:
            try:
                digest = copying.digest(sources, self._context, self._ignored)
            except ImageError as error:
                raise one.refuse(str(error)) from error
            return digest, lambda: self._context, self._ignored
        number = self._number(name)
        if number is not None:
            stage = self._stage(number)
            return stage.key, lambda: stage.root, lambda _: False
        if _UV.fullmatch(name):  # which is here, too
            folder = self._folder / "uv"
            folder.mkdir(exist_ok=True)
            for program in ("uv", "uvx"):
                shutil.copy2(uv.find_uv_bin(), folder / program)
            return f"uv {uv.__file__}", lambda: folder, lambda _: False
        raise one.refuse(
            f"there is no stage {name}, and the builder `process` pulls no image. Build with --level container"
        )

    def _run(self, built: BuiltStage, one: Instruction, variables: Mapping[str, str]) -> None:
        binds: dict[str, Callable[[], Path]] = {}
        inputs: list[Any] = [*_THIS_PYTHON, dict(variables), built.config["WorkingDir"]]
        for kind, value in one.flags:
            if kind != "mount":
                continue
            parts = dict(part.partition("=")[::2] for part in value.split(","))
            if parts.get("type", "bind") == "bind":
                target = os.path.join(built.config["WorkingDir"], parts.get("target") or parts.get("dst") or "")
                source = parts.get("source", parts.get("src", "")).lstrip("/")
                stage = self._number(parts.get("from", "")) if parts.get("from") else None
                inputs.append(self._stage(stage).key if stage is not None else self._content(one, source))
                binds[os.path.normpath(target)] = functools.partial(self._bound, stage, source)
            elif parts.get("type") not in ("cache", "tmpfs"):
                raise one.refuse(f"the builder `process` does not know a mount of type {parts.get('type')}")

        def carry_out() -> None:
            there = {target: find() for target, find in binds.items()}
            runner = running.Runner(built.root, self._say, built.base_prefix, there)
            runner.run(one, built.config["WorkingDir"], variables)

        built.step(f"RUN {one.rest}", inputs, carry_out)

    def _bound(self, stage: int | None, source: str) -> Path:
        return (self._stage(stage).root if stage is not None else self._context) / source

    def _content(self, one: Instruction, source: str) -> str:
        try:
            return copying.digest([source or "."], self._context, self._ignored)
        except ImageError as error:
            raise one.refuse(str(error)) from error
