"""Entry point: `python -m local_aws.machine FOLDER FD`, started by local_aws.machine_process for one boot of one instance."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from pathlib import Path

from local_aws.machine.computer import Computer
from local_aws.machine_process import MachineSettings
from local_aws.processes import become_subreaper


def main() -> int:
    folder, power = Path(sys.argv[1]), int(sys.argv[2])
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    become_subreaper()
    asyncio.run(Computer(MachineSettings.read(folder), power, folder / "root").run())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
