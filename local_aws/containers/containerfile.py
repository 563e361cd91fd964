"""Reads a Containerfile. https://docs.docker.com/reference/dockerfile/"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local_aws.containers.oci import ImageError

_FLAG = re.compile(r"--(?P<name>[a-z-]+)(?:=(?P<value>\S+))?\s+")
_VARIABLE = re.compile(r"\\\$|\$(?:\{(?P<braced>\w+)(?:(?P<test>:?[-+])(?P<word>[^}]*))?\}|(?P<plain>\w+))")


@dataclass(frozen=True)
class Instruction:
    """One instruction: `COPY --from=build /a /b` has the name COPY, the flag from=build, and the rest as it stands."""

    line: int
    name: str
    flags: tuple[tuple[str, str], ...]
    rest: str

    def flag(self, name: str) -> str:
        """The value of a flag, empty without it."""
        return dict(self.flags).get(name, "")

    def exec_form(self) -> list[str] | None:
        """The words of `["a", "b"]`; None when it is the shell form."""
        if not self.rest.startswith("["):
            return None
        try:
            words = json.loads(self.rest)
        except ValueError:
            return None
        return [str(word) for word in words] if isinstance(words, list) else None

    def refuse(self, why: str) -> ImageError:
        """An error that says where."""
        return ImageError(f"line {self.line}, {self.name} {self.rest[:100]}: {why}")


@dataclass
class Stage:
    """What is between one FROM and the next."""

    name: str
    base: str
    instructions: list[Instruction] = field(default_factory=list)


def read(path: Path) -> list[Instruction]:
    """Return the instructions of a file. ImageError for what cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ImageError(f"cannot read {path}: {error.strerror}") from error
    return list(_instructions(text))


def _instructions(text: str) -> Iterable[Instruction]:
    pending, begun = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("#") or (not stripped and not pending):
            continue
        begun = begun if pending else number
        if stripped.endswith("\\"):
            pending += line.rstrip()[:-1] + " "
            continue
        if pending + stripped:
            yield _instruction((pending + line).strip(), begun)
        pending = ""
    if pending.strip():
        yield _instruction(pending.strip(), begun)


def _instruction(text: str, line: int) -> Instruction:
    name, _, rest = text.partition(" ")
    rest = rest.strip()
    flags = []
    while found := _FLAG.match(rest):
        flags.append((found["name"], found["value"] or "true"))
        rest = rest[found.end() :]
    instruction = Instruction(line, name.upper(), tuple(flags), rest)
    if re.search(r"<<-?['\"]?\w", rest) and instruction.name in ("RUN", "COPY", "ADD"):
        raise instruction.refuse("here-documents are not known to this builder")
    return instruction


def stages(instructions: list[Instruction], arguments: Mapping[str, str]) -> list[Stage]:
    """Return the stages, FROM resolved with the ARGs before the first one, as `arguments` overrule them."""
    known: dict[str, str] = {}
    found: list[Stage] = []
    for one in instructions:
        if one.name == "FROM":
            words = expand(one.rest, known).split()
            named = words[2] if len(words) == 3 and words[1].lower() == "as" else str(len(found))
            if not words or len(words) not in (1, 3):
                raise one.refuse("FROM takes an image, and perhaps AS and a name")
            found.append(Stage(named, words[0]))
        elif found:
            found[-1].instructions.append(one)
        elif one.name == "ARG":
            known |= argument(one, known, arguments)
        else:
            raise one.refuse("only ARG may stand before the first FROM")
    if not found:
        raise ImageError("there is no FROM in the Containerfile")
    return found


def with_bases(text: str, found: list[Stage], used: Mapping[str, str]) -> str:
    """Return a Containerfile's text with other base images; `found` are its stages, `used` an image to another."""
    following = iter(found)

    def replaced(line: re.Match[str]) -> str:
        stage = next(following, None)
        return f"{line[1]}{used.get(stage.base, line[2]) if stage else line[2]}"

    return re.sub(r"(?im)^(\s*FROM\s+(?:--\S+\s+)*)(\S+)", replaced, text)


def argument(one: Instruction, known: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Return what an ARG sets: what was given for it, else its default; nothing without both."""
    set_now = {}
    for word in shlex.split(one.rest):
        name, equals, default = word.partition("=")
        if name in given:
            set_now[name] = given[name]
        elif equals:
            set_now[name] = expand(default, known)
    return set_now


def pairs(one: Instruction, known: Mapping[str, str]) -> dict[str, str]:
    """Return what ENV or LABEL sets; `ENV NAME some text` is the old form."""
    words = shlex.split(one.rest)
    if words and "=" not in words[0]:
        name, _, value = one.rest.partition(" ")
        return {name: expand(value.strip(), known)}
    given = dict(word.partition("=")[::2] for word in words)
    return {expand(name, known): expand(value, known) for name, value in given.items()}


def expand(text: str, known: Mapping[str, str]) -> str:
    """Replace $NAME, ${NAME}, ${NAME:-word} and ${NAME:+word}. What is not known is empty."""

    def value_of(found: re.Match[str]) -> str:
        if found[0] == "\\$":
            return "$"
        value = known.get(found["braced"] or found["plain"])
        test, word = found["test"], found["word"] or ""
        there = bool(value) if (test or "").startswith(":") else value is not None
        if test and test.endswith("-"):
            return str(value) if there else expand(word, known)
        if test and test.endswith("+"):
            return expand(word, known) if there else ""
        return value or ""

    return _VARIABLE.sub(value_of, text)
