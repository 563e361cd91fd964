"""Plays cloud-init for one boot: files, bootcmd on each boot, runcmd on the first one only."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

from local_aws.machine import user_data
from local_aws.machine.children import Children, copy_to
from local_aws.machine.paths import below_root, is_mapped
from local_aws.machine.user_data import CloudConfig, FileToWrite, UserDataError


class CloudInit:
    """`say` writes a line to the console. Output of the scripts goes to console and /var/log/cloud-init-output.log."""

    def __init__(
        self,
        *,
        root: Path,
        instance_id: str,
        boot: int,
        environment: dict[str, str],
        children: Children,
        say: Callable[[str], None],
        console: Path,
    ) -> None:
        self._root = root
        self._instance_id = instance_id
        self._first_boot = boot == 1
        self._environment = {**environment, "INSTANCE_ID": instance_id}
        self._children = children
        self._say = say
        self._console = console
        self._output = root / "var/log/cloud-init-output.log"
        self._failed: list[str] = []

    async def run(self, encoded: str) -> None:
        """Do what the user data (base64) says. Never raises: a machine with bad user data just runs."""
        begin = time.monotonic()
        self._log("running 'modules:config'")
        try:
            config = user_data.parse(base64.b64decode(encoded))
        except UserDataError as error:
            self._warn(str(error))
            self._failed.append("user-data")
            config = CloudConfig()
        for warning in config.warnings:
            self._warn(warning)
        await self._script("bootcmd", config.boot_commands)
        if self._first_boot:
            self._write(file for file in config.files if not file.deferred)
            self._log("running 'modules:final'")
            self._write(file for file in config.files if file.deferred)
            await self._script("runcmd", config.run_commands)
        self._finish(time.monotonic() - begin)

    def _write(self, files: object) -> None:
        for file in files:  # type: ignore[attr-defined]
            try:
                self._write_one(file)
            except OSError as error:
                self._warn(f"write_files: failed to write {file.path}: {error}")
                self._failed.append("write-files")

    def _write_one(self, file: FileToWrite) -> None:
        if not is_mapped(file.path):
            self._warn(f"write_files: {file.path} lies below the instance's root here; scripts find it there only")
        target = below_root(self._root, file.path)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("ab" if file.append else "wb") as handle:
            # The mode comes before the content: a secret is never readable for others, not even for a moment.
            os.fchmod(handle.fileno(), file.mode)
            handle.write(file.content)

    async def _script(self, name: str, commands: list[object]) -> None:
        if not commands:
            return
        self._log(f"running {name}")
        script = self._root / "var/lib/cloud/instance/scripts" / name
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(user_data.shell_script(commands))
        script.chmod(0o700)
        reading, writing = os.pipe()
        copy_to([self._console, self._output], reading)
        try:
            _, ended = self._children.spawn(
                ["/bin/sh", str(script)],
                environment=self._environment,
                directory=str(self._root),
                output=writing,
                errors=writing,
            )
        finally:
            os.close(writing)
        code = await ended
        if code:
            self._failed.append(name)
            how = f"ended by signal {-code}" if code < 0 else f"exit code {code}"
            self._warn(f"Failed to run module {name} (scripts in {script}): {how}")

    def _finish(self, seconds: float) -> None:
        instance = self._root / "var/lib/cloud/instance"
        instance.mkdir(parents=True, exist_ok=True)
        (instance / "boot-finished").write_text(f"{seconds:.2f} - {self._instance_id}\n")
        run = self._root / "run/cloud-init"
        run.mkdir(parents=True, exist_ok=True)
        (run / "result.json").write_text(
            json.dumps({"v1": {"datasource": "DataSourceEc2Local", "errors": self._failed}})
        )
        self._log(f"finished. Datasource DataSourceEc2Local. Up {seconds:.2f} seconds")

    def _log(self, text: str) -> None:
        self._say(f"cloud-init[1]: Cloud-init (embedded AWS, process level) {text}")

    def _warn(self, text: str) -> None:
        self._say(f"cloud-init[1]: WARNING: {text}")
