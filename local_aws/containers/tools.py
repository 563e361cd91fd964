"""The tools that make real images: docker, buildah, podman. The first that works here is taken."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from local_aws.containers import bases
from local_aws.containers.oci import ImageError

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

    def build(self, words: list[str], images: Iterable[str], say: Callable[[str], None]) -> None:
        """Build with docker's own `words`. `images` are the ones that FROM names. ImageError."""
        options = list(self.build_options)
        if self.host_files:
            for image in images:
                bases.provide(self.name, image, say)
            options += bases.pip_options()
        self._run([self.name, "build", *options, *words], "the build failed")

    def push(self, reference: str) -> None:
        """Push an image. ImageError."""
        self._run([self.name, "push", *self.push_options, reference], "the push failed")

    def login(self, words: list[str], password: str) -> None:
        """Log in, as well as us: podman and buildah have files of their own."""
        subprocess.run([self.name, "login", *self.push_options, *words], input=password, text=True, check=False)

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
