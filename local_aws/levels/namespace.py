"""Level namespace: cloud-init is the real one, in a Debian root of the machine's own; no privilege is needed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from local_aws.levels import debian_root, hardware
from local_aws.levels.base import Level, complaint, first_process, python

# As root of a user namespace of its own. --kill-child: the machine's process 1 never outlives this one.
UNSHARE = ["unshare", "--user", "--map-root-user", "--mount", "--net", "--uts", "--pid", "--fork", "--kill-child"]


class Namespace(Level):
    """Only systemd is still played, by local_aws.machine as the machine's process 1."""

    name = "namespace"
    own_network = True

    def reason_not_to(self) -> str:
        return complaint([*UNSHARE, "sh", "-c", hardware.TRIAL]) or debian_root.reason_not_to()

    def prepare(self, say: Callable[[str], None]) -> None:
        debian_root.build(say)

    def leader(self, machine: int) -> int:
        return first_process(machine)

    def words(self, folder: Path, power: int, listeners_socket: int | None) -> list[str]:
        return [*UNSHARE, *python("local_aws.levels.in_namespace", folder, power, listeners_socket)]
