"""RUN at level process: installing packages and making files. Whatever else it does needs a real container.

A system package is the image's own affair: this computer has its own. So apt-get is skipped, and that is said.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import uv

from chronos_training.control.publish import installer
from local_aws.containers.containerfile import Instruction, expand
from local_aws.containers.oci import ImageError
from local_aws.home import REPOSITORY_ROOT

# Of the system, or only to make an image smaller.
SKIPPED = frozenset(
    ["apt-get", "apt", "apk", "dnf", "microdnf", "yum", "useradd", "groupadd", "adduser", "addgroup", "chown", "chgrp",
     "ldconfig", "rm", "rmdir", "update-ca-certificates", "locale-gen", "find"]
)  # fmt: skip
_NOTHING = frozenset(["set", "true", ":"])
_FILE_TOOLS = frozenset(["mkdir", "chmod", "ln", "cp", "mv", "touch"])
_PIP_ALONE = frozenset(["pip", "setuptools", "wheel", "uv"])
# pip's and uv's options: with a value that is kept, with one that is dropped, kept and dropped.
_KEPT_WITH_VALUE = frozenset(
    ["-r", "--requirement", "--requirements", "-c", "--constraint", "-i", "--index-url", "--extra-index-url", "-f",
     "--find-links", "--no-binary", "--only-binary", "-t", "--target", "--prefix", "-e", "--editable"]
)  # fmt: skip
_DROPPED_WITH_VALUE = frozenset(
    ["--cache-dir", "--progress-bar", "--timeout", "--retries", "--log", "--root-user-action", "--link-mode"]
)
_KEPT = frozenset(["--no-deps", "--require-hashes", "-U", "--upgrade", "--no-build-isolation", "--pre", "--no-index"])
_DROPPED = frozenset(
    ["--no-cache-dir", "--no-cache", "-q", "--quiet", "-v", "--disable-pip-version-check", "--no-compile", "--no-input",
     "--no-warn-script-location", "--prefer-binary", "--compile-bytecode", "--system", "--break-system-packages",
     "--ignore-installed", "--force-reinstall", "--no-python-version-warning"]
)  # fmt: skip
_PATHS = frozenset(["-r", "--requirement", "--requirements", "-c", "--constraint", "-t", "--target", "--prefix", "-e",
                    "--editable", "-f", "--find-links"])  # fmt: skip


@dataclass
class Runner:
    """Carries out RUN instructions of one stage in its `root`."""

    root: Path
    say: Callable[[str], None]
    base_prefix: str  # where the base image's Python is, like /usr/local; empty when the system's is meant
    binds: Mapping[str, Path] = field(default_factory=dict)  # of RUN --mount=type=bind: target to what is there
    _cwd: str = "/"
    _env: dict[str, str] = field(default_factory=dict)

    def run(self, one: Instruction, cwd: str, env: Mapping[str, str]) -> None:
        """Carry out one instruction. ImageError when it does what this level cannot."""
        self._cwd, self._env = cwd, dict(env)
        words = one.exec_form()
        for command in [words] if words else _commands(one):
            self._one(one, [expand(word, self._env) for word in command])

    def _one(self, instruction: Instruction, words: list[str]) -> None:
        while words and "=" in words[0] and words[0].partition("=")[0].isidentifier():
            name, _, value = words.pop(0).partition("=")
            self._env[name] = value
        if words and words[0] == "export":
            self._env |= dict(word.partition("=")[::2] for word in words[1:])
            return
        if not words or words[0] in _NOTHING:
            return
        program = words[0].rpartition("/")[2]
        if program == "cd":
            self._cwd = os.path.normpath(os.path.join(self._cwd, (words[1:] or ["/"])[0]))
        elif program in SKIPPED:
            self.say(f"skipped, because this computer has its own system: {shlex.join(words)}")
        elif program in _FILE_TOOLS:
            self._file_tool(instruction, words)
        elif program.startswith("pip") or program == "uv":
            self._pip_or_uv(instruction, words)
        elif program.startswith("python"):
            self._python(instruction, words)
        else:
            raise instruction.refuse(
                f"`{program}` is not among what the builder `process` can do (install packages, copy and make files). Build a real "
                "image with --level container"
            )

    # Files.

    def _file_tool(self, instruction: Instruction, words: list[str]) -> None:
        """This computer's own tool, with every path inside of the root. A link is made relative: it fits anywhere."""
        arguments = [word if word.startswith("-") else str(self._place(word)) for word in words[1:]]
        if words[0] == "chmod":  # its first word is a mode
            first = next(n for n, word in enumerate(words[1:]) if not word.startswith("-"))
            arguments[first] = words[1 + first]
        if words[0] == "ln":
            if not any(word.startswith("-") and "s" in word for word in words[1:]):
                raise instruction.refuse("only symbolic links (ln -s) are known to the builder `process`")
            arguments = ["-r", *arguments]
        done = subprocess.run([words[0], *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            raise instruction.refuse(done.stderr.strip().replace(str(self.root), ""))

    def _place(self, path: str) -> Path:
        """Where a path of the image is on this computer."""
        whole = os.path.normpath(os.path.join(self._cwd, path))
        for target, real in self.binds.items():
            if whole == target or whole.startswith(f"{target}/"):
                return real / whole[len(target) :].lstrip("/")
        return self.root / whole.lstrip("/")

    # Packages.

    def _python(self, instruction: Instruction, words: list[str]) -> None:
        if words[1:3] == ["-m", "pip"]:
            self._pip(instruction, words[3:], self._environment_of(words[0]))
        elif words[1:3] == ["-m", "venv"]:
            self._new_environment(words[3:])
        elif words[1:3] in (["-m", "compileall"], ["-m", "ensurepip"]):
            self.say(f"skipped, because it changes nothing here: {shlex.join(words)}")
        else:
            raise instruction.refuse(
                "the builder `process` starts no program of the image. Build with --level container"
            )

    def _pip_or_uv(self, instruction: Instruction, words: list[str]) -> None:
        if words[0].rpartition("/")[2] != "uv":
            self._pip(instruction, words[1:], self._environment_of(words[0]))
        elif words[1:2] == ["venv"]:
            self._new_environment(words[2:])
        elif words[1:2] == ["pip"]:
            named = next((words[n + 1] for n, word in enumerate(words[:-1]) if word in ("-p", "--python")), "")
            named = named or next((word.partition("=")[2] for word in words if word.startswith("--python=")), "")
            rest = [w for w in words[2:] if w not in ("-p", "--python", named) and not w.startswith("--python=")]
            virtual = self._env.get("VIRTUAL_ENV", "")
            found = f"{virtual}/bin/python" if virtual and not named else named or "python"
            self._pip(instruction, rest, self._environment_of(found))
        else:
            raise instruction.refuse("of uv, the builder `process` knows venv and pip. Build with --level container")

    def _pip(self, instruction: Instruction, words: list[str], environment: Path) -> None:
        if words[:1] in (["check"], ["cache"], ["list"], ["freeze"]):
            return
        if words[:1] != ["install"]:
            raise instruction.refuse("of pip, the builder `process` knows install. Build with --level container")
        options, packages = self._options(instruction, words[1:])
        if packages and all(_bare(package) in _PIP_ALONE for package in packages) and not options:
            self.say(f"skipped, because uv of this computer installs: pip {shlex.join(words)}")
            return
        log = self.root.parent / "uv.log"
        placed = [str(self._place(word)) if word.startswith((".", "/")) else word for word in packages]
        words = ["--link-mode", "copy", *options, *placed]
        previous = Path.cwd()
        os.chdir(self._place("."))  # requirements name files relative to it
        try:
            installer.install(
                uv.find_uv_bin(), words, REPOSITORY_ROOT / ".cache", log, python=environment / "bin/python"
            )
        except installer.InstallError as error:
            raise instruction.refuse(str(error)) from error
        finally:
            os.chdir(previous)
        _forget_this_build(environment, self.root)

    def _options(self, instruction: Instruction, words: list[str]) -> tuple[list[str], list[str]]:
        options: list[str] = []
        packages: list[str] = []
        rest = [
            part for word in words for part in (word.split("=", 1) if word.startswith("--") and "=" in word else [word])
        ]
        while rest:
            word = rest.pop(0)
            if word in _KEPT_WITH_VALUE | _DROPPED_WITH_VALUE:
                value = rest.pop(0) if rest else ""
                if word in _PATHS and "://" not in value:
                    value = str(self._place(value))
                options += [word, value] if word in _KEPT_WITH_VALUE else []
            elif word in _KEPT:
                options.append(word)
            elif word.startswith("-") and word not in _DROPPED:
                raise instruction.refuse(f"the builder `process` does not know pip's option {word}")
            elif not word.startswith("-"):
                packages.append(word)
        return options, packages

    # Environments.

    def _environment_of(self, program: str) -> Path:
        """The virtual environment that `program` (pip, /opt/venv/bin/python) belongs to, in the root."""
        if "/" in program:
            return self._made(os.path.normpath(os.path.join(self._cwd, program, "../..")))
        for part in self._env.get("PATH", "").split(":"):
            if part and (self.root / part.lstrip("/") / "python").exists():
                return self._made(os.path.dirname(part))
        return self._made(self.base_prefix or "/usr/local")

    def _made(self, prefix: str) -> Path:
        environment = self.root / prefix.lstrip("/")
        if not (environment / "bin/python").exists():
            new_environment(environment)
        return environment

    def _new_environment(self, words: list[str]) -> None:
        system = ["--system-site-packages"] if "--system-site-packages" in words else []
        paths = [word for word in words if not word.startswith("-")] or [".venv"]
        new_environment(self._place(paths[-1]), *system)


def new_environment(folder: Path, *options: str) -> None:
    """Make a virtual environment of this computer's Python whose programs work wherever it is moved to. ImageError."""
    interpreter = getattr(sys, "_base_executable", sys.executable)
    words = [
        uv.find_uv_bin(),
        "venv",
        "--quiet",
        "--relocatable",
        "--no-project",
        "--allow-existing",
        "--python",
        interpreter,
    ]
    done = subprocess.run([*words, *options, str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ImageError(f"uv makes no virtual environment: {done.stderr.strip()}")


def _forget_this_build(environment: Path, root: Path) -> None:
    """Take away what uv notes of local files' times and places: the same packages shall be the same layer."""
    packages = environment.glob("lib/python*/site-packages/*.dist-info")
    for folder in packages:
        own, place = list(folder.glob("uv_*.json")), folder / "direct_url.json"
        gone = place.exists() and str(root) in place.read_text(encoding="utf-8")
        if gone:
            place.write_text(place.read_text(encoding="utf-8").replace(str(root), ""), encoding="utf-8")
        for note in own:
            note.unlink()
        if own or gone:
            record = folder / "RECORD"
            lines = record.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [line for line in lines if not re.search(r"/(uv_\w+|direct_url)\.json,", line)]
            listed = [f"{folder.name}/direct_url.json,,\n"] if place.exists() else []
            record.write_text("".join([*kept, *listed]), encoding="utf-8")


def _bare(package: str) -> str:
    return "".join(sign for sign in package.partition("=")[0] if sign.isalpha()).lower()


def _commands(one: Instruction) -> list[list[str]]:
    """The simple commands of the shell form, joined by && or ;. ImageError for what is more than that."""
    lexer = shlex.shlex(one.rest, posix=True, punctuation_chars=";&|<>()")
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        tokens = list(lexer)
    except ValueError as error:
        raise one.refuse(str(error)) from error
    commands: list[list[str]] = [[]]
    for token in tokens:
        if token in ("&&", ";"):
            commands.append([])
        elif token and set(token) <= set(";&|<>()"):
            skipped = commands[-1] and commands[-1][0] in SKIPPED
            if not skipped:
                raise one.refuse(
                    f"the builder `process` knows commands joined by && alone, no {token}. Build with --level container"
                )
        else:
            commands[-1].append(token)
    return [command for command in commands if command]
