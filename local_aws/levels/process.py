"""Level process: the machine is a manager of ours and its processes, below a folder. Works everywhere."""

from __future__ import annotations

from pathlib import Path

from local_aws.levels.base import Level, python


class Process(Level):
    """systemd and cloud-init are played by local_aws.machine; paths of the machine lie below INSTANCE_ROOT."""

    name = "process"

    def words(self, folder: Path, power: int, listeners_socket: int | None) -> list[str]:
        return python("local_aws.machine", folder, power)
