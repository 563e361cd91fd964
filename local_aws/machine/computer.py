"""The machine's life: power on, cloud-init, units, power off. One asyncio loop, one thread."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from local_aws import processes
from local_aws.home import MACHINE_VARIABLE, write_atomically
from local_aws.machine import cloud_init_program, shims
from local_aws.machine.children import Children
from local_aws.machine.cloud_init import CloudInit
from local_aws.machine.commands import reply_to
from local_aws.machine.manager import Manager
from local_aws.machine_process import MachineSettings

log = logging.getLogger("local_aws.machine")

FINAL_KILL_AFTER = 90.0  # seconds that one `--force` gives to processes after TERM, as systemd-shutdown does
MAX_REQUEST = 1024 * 1024  # bytes of one request on the control socket


class Computer:
    """Implements commands.Power. run() returns when the machine is off and nothing of it is left.

    `power` is the reading end of the power line; `root` the machine's root folder: "/" where this process has moved into
    it, and then cloud-init is the root's own.
    """

    def __init__(self, settings: MachineSettings, power: int, root: Path) -> None:
        self.settings = settings
        self.folder = Path(settings.folder)
        self.root = root
        self.console = self.folder / "console.log"
        self._power = power
        self._inside = root == Path("/")
        self._shims = self.folder / "shims"
        self._children = Children(settings.marker)
        self._environment = self._clean_environment()
        self.manager = Manager(
            root=self.root,
            folder=self.folder,
            shims=self._shims,
            environment=self._environment,
            children=self._children,
            say=self.say,
        )
        self._off: asyncio.Future[str] | None = None  # the action, once every unit is down
        self._going_down: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def say(self, text: str) -> None:
        with self.console.open("a") as console:
            console.write(f"[{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}] {text}\n")

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        self._off = loop.create_future()
        self._children.listen()
        loop.add_reader(self._power, self._power_line)
        self._lay_out()
        server = await asyncio.start_unix_server(self._serve, self.settings.control_socket, limit=MAX_REQUEST)
        self.say(f"booting {self.settings.instance_id}, boot {self.settings.boot}, level {self.settings.level}")
        booting = asyncio.create_task(self._boot())
        action = await self._off
        server.close()
        booting.cancel()
        self._children.kill_everything()
        self.say("reboot: Restarting system" if action == "reboot" else "reboot: Power down")
        write_atomically(self.folder / "power.json", json.dumps({"action": action}))

    def power_off(self, action: str, *, force: int = 0) -> None:
        """Begin to go down. force 0: stop jobs for all units; 1: TERM to all, then KILL; 2: off, at once."""
        if self._off is None or self._off.done():
            return
        self.cancel_schedule()
        if force >= 2:
            self.say(f"systemd[1]: {action} --force --force: immediate")
            self._off.set_result(action)
        elif self._going_down is None or force:
            if self._going_down:
                self._going_down.cancel()
            self._going_down = asyncio.create_task(self._go_down(action, force))

    def schedule(self, action: str, seconds: float, message: str) -> None:
        self.cancel_schedule()
        self.say(f"systemd-logind: The system will {action} in {seconds / 60:g} min! {message}".rstrip())
        self._timer = asyncio.get_running_loop().call_later(seconds, self._scheduled, action)

    def cancel_schedule(self) -> bool:
        pending, self._timer = self._timer, None
        if pending:
            pending.cancel()
        return pending is not None

    def _scheduled(self, action: str) -> None:
        self._timer = None
        self.say(f"systemd-logind: The scheduled {action} begins now")
        self.power_off(action)

    def _power_line(self) -> None:
        if os.read(self._power, 64):
            self.say("systemd-logind: Power key pressed short.")
            self.power_off("poweroff")
            return
        # The host is gone, or has closed the pipe on purpose: no more orderly steps.
        asyncio.get_running_loop().remove_reader(self._power)
        self._children.kill_everything()
        with contextlib.suppress(OSError):
            self.say("power lost")
        os._exit(1)

    async def _boot(self) -> None:
        try:
            for name in self.manager.enabled():  # none on a first boot: nothing has been enabled yet
                self.manager.start_unit(name)
            if self._inside:
                await cloud_init_program.run(self._children, self._environment, self.console, self.say)
            else:
                await self._played_cloud_init().run(self.settings.user_data)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            log.exception("boot failed")
            self.say(f"booting failed: {type(error).__name__}: {error}")

    def _played_cloud_init(self) -> CloudInit:
        return CloudInit(
            root=self.root,
            instance_id=self.settings.instance_id,
            boot=self.settings.boot,
            environment=self._environment,
            children=self._children,
            say=self.say,
            console=self.console,
        )

    async def _go_down(self, action: str, force: int) -> None:
        assert self._off is not None
        self.say(f"systemd-logind: The system will {action} now!")
        if force:
            self.manager.closed = True
            everything = self._children.everything()
            processes.send(everything, signal.SIGTERM)
            deadline = asyncio.get_running_loop().time() + FINAL_KILL_AFTER
            while self._children.everything() and asyncio.get_running_loop().time() < deadline:
                await asyncio.sleep(0.02)
        else:
            await self.manager.stop_all()
            # What user data started outside of units gets its TERM too, but nobody waits for it for long.
            processes.send(self._children.everything(), signal.SIGTERM)
            for _ in range(25):
                if not self._children.everything():
                    break
                await asyncio.sleep(0.02)
        if not self._off.done():
            self._off.set_result(action)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request of a shim: a line of JSON with its words; the answer is a line of JSON, too."""
        with contextlib.suppress(OSError, ValueError, asyncio.IncompleteReadError):
            request = json.loads(await reader.readline())
            reply = await reply_to([str(word) for word in request["words"]], self.manager, self)
            writer.write(json.dumps([reply.code, reply.output, reply.errors]).encode() + b"\n")
            await writer.drain()
        writer.close()

    def _lay_out(self) -> None:
        for folder in ("opt", "etc/systemd/system", "var/log", "var/lib", "var/tmp", "run", "srv", "root"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        if self._inside:
            shims.replace_commands(self.root, self.settings.control_socket)
        else:
            shims.write_all(self._shims, self.settings.control_socket)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.settings.control_socket)

    def _clean_environment(self) -> dict[str, str]:
        """What boot scripts and units see: nothing of the person's but language and temporary folder."""
        environment = {name: os.environ[name] for name in ("LANG", "LC_ALL", "TMPDIR") if name in os.environ}
        environment.setdefault("LANG", "C.UTF-8")
        environment |= {
            "HOME": str(self.root / "root"),
            "SHELL": "/bin/sh",
            "AWS_ENDPOINT_URL": self.settings.endpoint,
            MACHINE_VARIABLE: self.settings.marker,
        }
        if self._inside:
            return environment | {"PATH": shims.ROOT_PATH, "TMPDIR": "/tmp"}  # noqa: S108 (the machine's own)
        return environment | {
            "PATH": os.pathsep.join([str(self._shims), shims.SYSTEM_PATH]),
            "INSTANCE_ROOT": str(self.root),
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.settings.metadata_endpoint,
            "TMPDIR": environment.get("TMPDIR", tempfile.gettempdir()),
        }
