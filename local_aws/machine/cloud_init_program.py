"""Runs the machine's own cloud-init through the stages that its systemd units would start it for."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from local_aws.machine.children import Children, copy_to

# The generator, then cloud-init-local, cloud-init, cloud-config and cloud-final, in the order of their units.
STAGES = (
    ["/usr/lib/cloud-init/ds-identify"],
    ["cloud-init", "init", "--local"],
    ["cloud-init", "init"],
    ["cloud-init", "modules", "--mode=config"],
    ["cloud-init", "modules", "--mode=final"],
)


# cloud-init's own way to the log is tee with another group, which a user namespace has not got.
OUTPUT = ("/etc/cloud/cloud.cfg.d/99-output.cfg", 'output: {all: ">> /dev/stdout"}\n')
LOG = "/var/log/cloud-init-output.log"


async def run(children: Children, environment: dict[str, str], console: Path, say: Callable[[str], None]) -> None:
    """Run every stage; one that fails does not keep the next from its turn, as with systemd."""
    Path(OUTPUT[0]).write_text(OUTPUT[1])
    for words in STAGES:
        reading, writing = os.pipe()
        # The generator's messages are for the kernel's log.
        copy_to([Path(LOG), console] if words is not STAGES[0] else [], reading)
        try:
            _, ended = children.spawn(words, environment=environment, directory="/", output=writing, errors=writing)
        finally:
            os.close(writing)
        code = await ended
        if code:
            say(f"{' '.join(words)}: {'signal' if code < 0 else 'exit code'} {abs(code)}")
