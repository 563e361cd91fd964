"""Nobody reads a retired phrase: messages, documentation and comments say what the glossary and an engineer would say."""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path

import pytest

from tests.unit.docs import pages

ROOT = Path(__file__).resolve().parents[3]
GLOSSARY = ROOT / "docs/glossary.md"
# What must not be read any more, and what to say instead.
RETIRED = {
    r"\banew\b": "again",
    r"\b(?:gone|go|goes|going|went) on from\b": "resume, resumed",
    r"\bbe had\b": "available",
    r"\bof the dearest\b": "the most expensive",
    r"\boutside guards?\b": "termination schedule",
    r"\barm(?:s|ed|ing)? (?:the|a|its|this|that) (?:\w+ )?guard": "create the termination schedule",
    r"\b(?:take|takes|took|taken) (?:\S+ ){0,3}guards? away\b": "delete the termination schedule",
    r"\bguards? (?:is|are|was) (?:armed|taken away)\b": "the termination schedule is created, deleted",
    r"\bsigns? of life\b": "heartbeat",
    r"\bbroken off\b": "interrupted",
    r"\b(?:the|its|a|run's) leader\b": "head node",
    r"\bpolic(?:y|ies) for people\b": "user policies",
    r"\bsettles (?:it|that|what|the run|the rest)\b": "reconciles",
    r"\blaid over\b": "overrides",
    r"\bby heart\b": "memorized",
    r"\bno whole checkpoint\b": "no complete checkpoint",
    r"\bit is no (?:region|range|known)\b": "it is not a …",
    r"\bis no (?:model|family|target column|UTF-8)\b": "is not a …",
    r"\bthere is none of it\b": "none exists",
    r"(?<!each )\bone's own\b": "your own",
    r"\beverything else is as it says\b": "which does not affect its result",
    r"\bgoing: instance\b": "terminating: instance",
    r"\bsealed checkpoints?\b": "complete checkpoint",
    r"\bseal of (?:a|the|its) checkpoint\b": "completion marker",
}
# Names that say less than the field's own, wherever they stand in our programs.
RETIRED_NAMES = {
    "CHECKPOINT_SEAL": "COMPLETION_MARKER",
    "Doors": "Listeners",
    "Inside": "RemoteShell",
    "Orders": "InjectedFaults",
    "Place": "Paths",
    "Places": "GridPositions",
    "Story": "Scenario",
    "Whole": "StrictInt",
    "World": "an account, or a ModelState",
    "guest": "machine",
    "guest_pid": "machine_pid",
    "world": "account",
}
# The files that people read, or that make what they read.
READ = ("training/src", "volatility/src", "library", "plugins", "roles", "playbooks", "inventories", "docs")
SUFFIXES = {".py", ".yml", ".j2", ".md"}


def _files() -> list[Path]:
    found = [path for folder in READ for path in sorted((ROOT / folder).rglob("*")) if path.suffix in SUFFIXES]
    return [*found, ROOT / "README.md", ROOT / "CHANGELOG.md"]


def _spoken(path: Path) -> str:
    """Return what a person may read of a file: of a program its texts and comments, of the changelog what is newest."""
    text = path.read_text(encoding="utf-8")
    if path.name == "CHANGELOG.md":
        return "## ".join(text.split("\n## ")[:2])
    if path.suffix != ".py":
        return text
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    kinds = {tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", -1)}
    return "\n".join(token.string for token in tokens if token.type in kinds)


def _in_one_line(text: str) -> str:
    """Return the text with its words one space apart, whatever quotes, comment signs and lines divide them."""
    return re.sub(r"""(?:["']?\s*\n\s*(?:# |\* |> |[rf]*["'])?|\s)+""", " ", text)


def found_in(text: str) -> list[str]:
    """Return each retired phrase of a text with its surroundings and what to say instead."""
    line = _in_one_line(text)
    return [
        f"…{line[max(hit.start() - 30, 0) : hit.end() + 30]}…: say {better}"
        for phrase, better in RETIRED.items()
        for hit in re.finditer(phrase, line, re.IGNORECASE)
    ]


@pytest.mark.parametrize("path", _files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_retired_phrase_is_read(path: Path) -> None:
    assert not found_in(_spoken(path)), path


def retired_names(text: str) -> list[str]:
    """Return each retired identifier of a program with its line and what to say instead."""
    return [
        f"line {token.start[0]}: {token.string}: say {RETIRED_NAMES[token.string]}"
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.NAME and token.string in RETIRED_NAMES
    ]


@pytest.mark.parametrize("folder", ["training/src", "library", "plugins", "local_aws", "tests", "tools"])
def test_no_name_is_retired(folder: str) -> None:
    found = {
        str(path.relative_to(ROOT)): names
        for path in sorted((ROOT / folder).rglob("*.py"))
        if (names := retired_names(path.read_text(encoding="utf-8")))
    }
    assert not found


def test_a_retired_name_is_found_and_a_longer_one_is_not() -> None:
    assert retired_names("world = Doors()") == ["line 1: world: say account", "line 1: Doors: say Listeners"]
    assert not retired_names("worldwide = 'world'")


@pytest.mark.parametrize(
    "text",
    [
        "Run 1 cannot be gone on from",
        'f"the one of its types that was to "\n    f"be had"',
        "# the outside\n# guard is armed",
        "a launch settles that by itself",
    ],
)
def test_a_retired_phrase_is_found_across_lines(text: str) -> None:
    assert found_in(text)


def test_plain_words_are_left_alone() -> None:
    assert not found_in("Run 1 cannot be resumed: its seed differed at launch. The leaderboard goes on below.")


def test_a_term_is_in_the_glossary_once() -> None:
    terms = [cells[0] for cells in pages.rows(GLOSSARY.read_text(encoding="utf-8"))]
    assert len(terms) > 50 and len(terms) == len(set(terms))


def test_the_glossary_is_linked() -> None:
    assert "(glossary.md)" in (ROOT / "docs/index.md").read_text(encoding="utf-8")
    assert "glossary.md" in (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
