"""What MkDocs does not do itself: diagrams become drawings when the site is built, links into the repository become text."""

from __future__ import annotations

import re
from typing import Any

import mermaidx

DIAGRAM = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OUTSIDE = re.compile(r"\[([^\]]+)\]\((?:\.\./)+((?:roles|tests|README)[^)]*)\)")


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Return the page with drawings in the place of Mermaid's text. A reader's browser then needs no script for them."""
    number = 0

    def draw(found: re.Match[str]) -> str:
        nonlocal number
        number += 1
        # Several drawings on a page: each needs names of its own.
        drawing = mermaidx.render(found[1]).svg().replace("my-svg", f"drawing-{number}").replace("\n", " ")
        return f'<div class="drawing">{drawing}</div>'

    return OUTSIDE.sub(r"\1 (`\2`)", DIAGRAM.sub(draw, markdown))
