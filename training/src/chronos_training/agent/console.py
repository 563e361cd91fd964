"""The machine's own words as a log file: cloud-init's output, and what kernel and services complained of."""

from __future__ import annotations

import logging
import os
import subprocess
from pathlib import Path

log = logging.getLogger(__name__)

# Out of memory, a dying disk, a GPU that fell off the bus: all of that is a warning or worse. The rest is chatter.
JOURNAL = ["journalctl", "--boot", "--priority=warning", "--no-pager", "--output=short-iso", "--lines=2000"]
TIMEOUT = 10.0


def write_console(target: Path) -> None:
    """Write the present console to `target`, if it is another than the one there. Raises nothing but OSError."""
    text = b""
    root = os.environ.get("INSTANCE_ROOT")
    output = Path(root or "/") / "var/log/cloud-init-output.log"
    if output.exists():
        text += output.read_bytes()
    if not root:  # with a root of its own the machine has no journal, and this would be somebody else's
        try:
            text += subprocess.run(JOURNAL, capture_output=True, timeout=TIMEOUT, check=False).stdout
        except (OSError, subprocess.SubprocessError) as error:
            log.debug("no journal: %s", error)
    if text and (not target.exists() or target.read_bytes() != text):
        partial = target.with_suffix(".partial")
        partial.write_bytes(text)
        partial.replace(target)
