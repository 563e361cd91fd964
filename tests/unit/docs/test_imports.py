"""No module imports one that imports it, not even for its types: what is below knows nothing of what is above."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

from tests.unit.docs.pages import ROOT

SOURCES = (ROOT / "training/src", ROOT / "volatility/src")


def names() -> dict[str, Path]:
    """Return the modules of all packages, by their dotted names."""
    found = {
        ".".join(path.relative_to(source).with_suffix("").parts): path
        for source in SOURCES
        for path in source.rglob("*.py")
    }
    return {name.removesuffix(".__init__"): path for name, path in found.items()}


def imports(name: str, path: Path, known: dict[str, Path]) -> set[str]:
    """Return what of `known` a module imports, wherever in it the import stands."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            found |= {inner if (inner := f"{module}.{one.name}") in known else module for one in node.names}
    return (found & known.keys()) - {name}


def test_there_is_no_circle() -> None:
    known = names()
    assert {name.split(".")[0] for name in known} == {"chronos_training", "chronos_volatility"}
    order = list(TopologicalSorter({name: imports(name, path, known) for name, path in known.items()}).static_order())
    assert set(order) == set(known)
