"""The tools that make real images: docker, buildah, podman. The first that works here is taken."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from local_aws.containers import bases
from local_aws.containers.containerfile import Stage, with_bases
from local_aws.containers.oci import ImageError
from local_aws.containers.pushing import config_file

TRY_SECONDS = 30.0


@dataclass(frozen=True)
class Tool:
    """A tool that builds and pushes."""

    name: str
    works: tuple[str, ...]  # a command that fails when it does not
    build_options: tuple[str, ...] = ()
    push_options: tuple[str, ...] = ()
    host_files: bool = False  # it can show files of this computer to RUN, and be given base images

    def why_not(self) -> str:
        """Why it cannot be used here, in a few words; empty when it can."""
        try:
            done = subprocess.run(self.works, capture_output=True, text=True, timeout=TRY_SECONDS, check=False)
        except FileNotFoundError:
            return f"there is no {self.name}"
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        if done.returncode == 0:
            return ""
        return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]

    def build(self, file: Path, words: list[str], stages: list[Stage], say: Callable[[str], None]) -> None:
        """Build a Containerfile with docker's own `words`; `stages` are what is in it. ImageError."""
        with tempfile.TemporaryDirectory(prefix="build-") as folder:
            options = list(self.build_options)
            if self.host_files:
                file = self._with_bases(file, stages, Path(folder), say)
                options += bases.pip_options(Path(folder))
            self._run([self.name, "build", *options, "--file", str(file), *words], "the build failed")

    def _with_bases(self, file: Path, stages: list[Stage], folder: Path, say: Callable[[str], None]) -> Path:
        """The Containerfile, with other names where a base image had to be replaced."""
        named = {stage.name.lower() for stage in stages} | {"scratch"}
        images = {stage.base for stage in stages if stage.base.lower() not in named}
        used = {image: bases.provide(self.name, image, say) for image in sorted(images)}
        if all(image == name for image, name in used.items()):
            return file
        changed = folder / "Containerfile"
        changed.write_text(with_bases(file.read_text(encoding="utf-8"), stages, used), encoding="utf-8")
        return changed

    def push(self, reference: str) -> None:
        """Push an image with the credentials of `login`. ImageError."""
        options = list(self.push_options)
        if self.name != "docker" and config_file().exists():
            options += ["--authfile", str(config_file())]
        self._run([self.name, "push", *options, reference], "the push failed")

    def has(self, reference: str) -> bool:
        """Whether it has an image of this name."""
        words = [self.name, *(("inspect", "--type", "image") if self.name != "docker" else ("image", "inspect"))]
        return subprocess.run([*words, reference], capture_output=True, check=False).returncode == 0

    @staticmethod
    def _run(words: list[str], failed: str) -> None:
        code = subprocess.run(words, check=False).returncode
        if code:
            raise ImageError(f"{failed}: {words[0]} ended with exit code {code}")


# Without a daemon of its own, in a chroot: needs no bridge network and no runtime.
_CHROOT = ("--isolation", "chroot", "--pull=false", "--format", "docker")
TOOLS = (
    Tool("docker", ("docker", "info", "--format", "{{.ServerVersion}}")),
    Tool("buildah", ("buildah", "info"), _CHROOT, ("--tls-verify=false",), host_files=True),
    Tool("podman", ("podman", "info"), _CHROOT, ("--tls-verify=false",), host_files=True),
)


def choose() -> tuple[Tool | None, str]:
    """Return the first tool that works, and why the ones before it do not."""
    reasons: list[str] = []
    for tool in TOOLS:
        reason = tool.why_not()
        if not reason:
            return tool, "; ".join(reasons)
        reasons.append(f"{tool.name}: {reason}")
    return None, "; ".join(reasons)
