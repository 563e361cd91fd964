"""How a gap of moto is closed: its function is replaced by ours."""

from __future__ import annotations

from typing import Any


def replace(owner: Any, **functions: Any) -> None:
    """Put our functions into a class or module of moto, each under the name of the one it replaces."""
    for name, function in functions.items():
        if not hasattr(owner, name):
            raise AttributeError(f"moto's {owner} has no {name} any more")
        setattr(owner, name, function)


def add(owner: Any, **functions: Any) -> None:
    """Put functions into a class that moto lacks. When moto has them, ours can go."""
    for name, function in functions.items():
        setattr(owner, name, function)
