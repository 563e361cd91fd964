"""Installs locked packages with uv, from the indexes that the person's pip knows.

Of the standard library alone: the set-up uses it before anything else is installed. uv reads no configuration of pip's, and a
company's index, its certificate or a folder of wheels is usually written there; what is said to uv itself comes first.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

# pip's setting → uv's option; a setting with several values is given as often.
_OPTIONS = {
    "find-links": "--find-links",
    "trusted-host": "--allow-insecure-host",
}
# pip's setting → the environment variable that uv, and the library below it, reads. An index's address may hold a password, which
# everybody on the machine could read in a command line.
_VARIABLES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "proxy": "ALL_PROXY",
    "timeout": "UV_HTTP_TIMEOUT",
    "retries": "UV_HTTP_RETRIES",
}


class InstallError(Exception):
    """What uv could not do, as one sentence."""


def pip_settings(python: Path | str) -> dict[str, str]:
    """Return the settings of that interpreter's pip: [global] and [install] of its files, then PIP_* of the environment."""
    command = [str(python), "-m", "pip", "config", "list", "--disable-pip-version-check"]
    listed = subprocess.run(command, capture_output=True, text=True)
    found: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        section, _, setting = name.rpartition(".")
        if section in found:
            found[section][setting] = str(ast.literal_eval(value))
    return found["global"] | found["install"] | found[":env:"]


def options(settings: dict[str, str]) -> list[str]:
    """Return uv's options that say what pip's `settings` say, and like pip take the best version of all indexes."""
    said = ["--index-strategy", "unsafe-best-match"]
    if settings.get("no-index", "").lower() in {"1", "true", "yes", "on"}:
        said.append("--no-index")
    for setting, option in _OPTIONS.items():
        said += [word for value in settings.get(setting, "").split() for word in (option, value)]
    return said


def environment(settings: dict[str, str], cache: Path) -> dict[str, str]:
    """Return the variables that uv runs with; its cache is in `cache` unless UV_CACHE_DIR is set."""
    variables = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}
    variables.setdefault("UV_CACHE_DIR", str(cache / "uv"))
    for setting, variable in _VARIABLES.items():
        if settings.get(setting):
            variables.setdefault(variable, " ".join(settings[setting].split()))
    return variables


def install(
    uv: str | Path, words: Sequence[str], cache: Path, log: Path, *, python: Path | str = "", pip: Path | str = ""
) -> None:
    """Run `uv pip install` for `python` with these `words`. InstallError with uv's own sentence.

    `uv` is its program; the whole output is added to `log`. `pip` is the interpreter whose pip is asked for its settings.
    Both interpreters are the one that runs this unless they are given.
    """
    python, settings = python or sys.executable, pip_settings(pip or sys.executable)
    command = [uv, "pip", "install", "--python", python, *options(settings), *words]
    with log.open("a", encoding="utf-8") as output:
        begun = output.tell()
        variables = environment(settings, cache)
        code = subprocess.run([str(word) for word in command], stdout=output, stderr=output, env=variables).returncode
    if code:
        with log.open(encoding="utf-8", errors="replace") as written:
            written.seek(begun)
            raise InstallError(reason(written.read()) or f"uv ended with exit code {code}.")


def reason(output: str) -> str:
    """Return the error in uv's `output` as one sentence: what failed, and the innermost of its causes."""
    _, found, rest = output.rpartition("error: ")
    if not found:
        return ""
    failed, *causes = rest.partition("\n\nhint:")[0].split("\n  cause: ")
    sentence = ": ".join(" ".join(part.split()) for part in [failed, *causes[-1:]])
    return sentence if sentence.endswith(".") else f"{sentence}."
