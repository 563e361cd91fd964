"""The builder `process`: a Containerfile's stages as folders, and the last one as a real OCI image.

What it makes holds this computer's interpreter by reference and the locked packages by value; it runs on this computer.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uv

from local_aws.containers import containerfile, copying, layers, running
from local_aws.containers.containerfile import Instruction, Stage, expand
from local_aws.containers.oci import ARCHITECTURE, PROCESS_AUTHOR, ImageError
from local_aws.containers.store import Store
from local_aws.home import REPOSITORY_ROOT

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PYTHON = re.compile(r"(?:.*/)?python:(?P<version>\d+\.\d+)\S*")
_LAMBDA = re.compile(r"(?:.*/)?lambda[-/]python:(?P<version>\d+\.\d+)\S*")
_SYSTEM = re.compile(r"(?:.*/)?(?:debian|ubuntu|amazonlinux|fedora|alpine|busybox)(?::\S+)?")
_UV = re.compile(r"(?:.*/)?uv(?::\S+)?(?:@\S+)?")
_SAID = {"HEALTHCHECK": "nobody asks for its health here", "VOLUME": "its files stay in the image's root", "SHELL": "",
         "ONBUILD": "", "MAINTAINER": ""}  # fmt: skip


@dataclass
class _Built:
    """A stage as far as it is built."""

    root: Path
    config: dict[str, Any] = field(default_factory=lambda: {"Env": [f"PATH={PATH}"], "WorkingDir": "/"})
    layers: list[layers.Layer] = field(default_factory=list)
    history: list[str] = field(default_factory=list)
    base_prefix: str = ""

    @property
    def env(self) -> dict[str, str]:
        return dict(line.partition("=")[::2] for line in self.config["Env"])

    def set_env(self, new: Mapping[str, str]) -> None:
        self.config["Env"] = [f"{name}={value}" for name, value in {**self.env, **new}.items()]


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
    ) -> None:
        self._context = context.resolve()
        self._arguments = {"TARGETARCH": ARCHITECTURE, "TARGETOS": "linux", **arguments}
        self._labels = labels
        self._say = say
        self._stages = containerfile.stages(containerfile.read(file), self._arguments)
        self._ignored = copying.ignored_by(context, file)
        self._built: dict[int, _Built] = {}
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

    def _stage(self, number: int) -> _Built:
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

    def _from(self, number: int, stage: Stage) -> _Built:
        root = self._folder / str(number) / "root"
        earlier = self._number(stage.base)
        if earlier is not None and earlier < number:
            before = self._stage(earlier)
            shutil.copytree(before.root, root, symlinks=True)
            config = {**before.config, "Env": list(before.config["Env"])}
            return _Built(root, config, list(before.layers), list(before.history), before.base_prefix)
        root.mkdir(parents=True)
        built = _Built(root)
        name = stage.base.removeprefix("docker.io/").removeprefix("library/")
        for pattern, prefix in ((_LAMBDA, "/var/lang"), (_PYTHON, "/usr/local")):
            found = pattern.fullmatch(name)
            if found:
                self._python(built, name, found["version"], prefix)
                return built
        if name != "scratch" and not _SYSTEM.fullmatch(name):
            raise ImageError(
                f"FROM {stage.base}: the builder `process` knows images of Python and of systems (debian, …). Build with --level container"
            )
        return built

    def _python(self, built: _Built, name: str, version: str, prefix: str) -> None:
        here = f"{sys.version_info.major}.{sys.version_info.minor}"
        if version != here:
            self._say(f"{name}: this computer's Python {here} takes the place of {version}")
        running.new_environment(built.root / prefix.lstrip("/"))
        built.base_prefix = prefix
        if prefix == "/var/lang":
            # https://docs.aws.amazon.com/lambda/latest/dg/python-image.html
            built.set_env(
                {"PATH": f"/var/lang/bin:{PATH}", "LAMBDA_TASK_ROOT": "/var/task", "LAMBDA_RUNTIME_DIR": "/var/runtime"}
            )
            built.config |= {"WorkingDir": "/var/task", "Entrypoint": ["python", "-m", "awslambdaric"]}
            (built.root / "var/task").mkdir(parents=True)
            # Where AWS's image has the runtime's client and boto3, behind what the image brings itself.
            shutil.copytree(_functions_group(), built.root / "var/runtime", symlinks=True)
            (built.root / "var/lang/lib" / f"python{here}" / "site-packages/runtime.pth").write_text(
                "../../../../runtime\n"
            )
        self._add_layer(built, {}, f"FROM {name}")

    def _add_layer(self, built: _Built, before: dict[str, tuple[int, ...]], said: str) -> None:
        names = layers.changed(before, layers.fingerprints(built.root))
        if names:
            target = built.root.parent / f"layer-{len(built.layers)}.tar.gz"
            built.layers.append(layers.pack(built.root, names, target))
            built.history.append(said)

    def _instruction(self, built: _Built, one: Instruction, known: dict[str, str]) -> None:
        variables = {**known, **built.env}
        if one.name in ("COPY", "ADD", "RUN"):
            before = layers.fingerprints(built.root)
            if one.name == "RUN":
                self._run(built, one, variables)
            else:
                self._copy(built, one, variables)
            self._add_layer(built, before, f"{one.name} {one.rest}")
        elif one.name == "ARG":
            known |= containerfile.argument(one, variables, self._arguments)
        elif one.name == "ENV":
            built.set_env(containerfile.pairs(one, variables))
        elif one.name == "LABEL":
            built.config["Labels"] = {**built.config.get("Labels", {}), **containerfile.pairs(one, variables)}
        elif one.name == "WORKDIR":
            before = layers.fingerprints(built.root)
            built.config["WorkingDir"] = os.path.normpath(
                os.path.join(built.config["WorkingDir"], expand(one.rest, variables))
            )
            (built.root / built.config["WorkingDir"].lstrip("/")).mkdir(parents=True, exist_ok=True)
            self._add_layer(built, before, f"WORKDIR {one.rest}")
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

    def _copy(self, built: _Built, one: Instruction, variables: Mapping[str, str]) -> None:
        words = one.exec_form() or one.rest.split()
        words = [expand(word, variables) for word in words]
        if len(words) < 2:
            raise one.refuse("it takes a source and a destination")
        *sources, destination = words
        if one.name == "ADD" and any("://" in source for source in sources):
            raise one.refuse("the builder `process` fetches nothing. Build with --level container")
        if one.name == "ADD" and any(re.search(r"\.(tar|tgz|tbz|txz|tar\..*)$", source) for source in sources):
            raise one.refuse("the builder `process` unpacks no archives. Build with --level container")
        target = built.root / os.path.join(built.config["WorkingDir"], destination).lstrip("/")
        mode = one.flag("chmod")
        source_root, ignored = self._source(one, variables)
        try:
            copying.copy(
                sources,
                source_root,
                target,
                into=destination.endswith(("/", "/.")) or destination == ".",
                ignored=ignored,
                mode=int(mode, 8) if mode else None,
            )
        except ImageError as error:
            raise one.refuse(str(error)) from error

    def _source(self, one: Instruction, variables: Mapping[str, str]) -> tuple[Path, copying.Ignored]:
        name = expand(one.flag("from"), variables)
        if not name:
            return self._context, self._ignored
        number = self._number(name)
        if number is not None:
            return self._stage(number).root, lambda _: False
        if _UV.fullmatch(name):  # which is here, too
            folder = self._folder / "uv"
            folder.mkdir(exist_ok=True)
            for program in ("uv", "uvx"):
                shutil.copy2(uv.find_uv_bin(), folder / program)
            return folder, lambda _: False
        raise one.refuse(
            f"there is no stage {name}, and the builder `process` pulls no image. Build with --level container"
        )

    def _run(self, built: _Built, one: Instruction, variables: Mapping[str, str]) -> None:
        binds = {}
        for kind, value in one.flags:
            if kind != "mount":
                continue
            parts = dict(part.partition("=")[::2] for part in value.split(","))
            if parts.get("type", "bind") == "bind":
                stage = self._number(parts.get("from", "")) if parts.get("from") else None
                source_root = self._stage(stage).root if stage is not None else self._context
                target = os.path.join(built.config["WorkingDir"], parts.get("target") or parts.get("dst") or "")
                binds[os.path.normpath(target)] = source_root / parts.get("source", parts.get("src", "")).lstrip("/")
            elif parts.get("type") not in ("cache", "tmpfs"):
                raise one.refuse(f"the builder `process` does not know a mount of type {parts.get('type')}")
        runner = running.Runner(built.root, self._say, built.base_prefix, binds)
        runner.run(one, built.config["WorkingDir"], variables)
