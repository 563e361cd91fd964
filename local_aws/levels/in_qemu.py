"""What a machine of level qemu runs in: `python -m local_aws.levels.in_qemu FOLDER POWER SOCKET`.

Makes its disk and its network, starts qemu, and is the machine's power supply: a byte on POWER presses the button, its
end (the host is gone, or switches off) kills the machine.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import selectors
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path
from uuid import UUID

from local_aws import processes
from local_aws.home import MACHINE_VARIABLE, write_atomically
from local_aws.levels import copier, virtual_disk
from local_aws.levels.hardware import METADATA_ADDRESS
from local_aws.machine_process import MachineSettings

MEMORY = "4G"
MAX_CPUS = 4
KERNEL = "root=/dev/vda rw console=ttyS0 net.ifnames=0 TERM=dumb systemd.log_color=0 systemd.getty_auto=0"
# How qemu calls the ends that a machine brings about itself (its -no-reboot makes a reset one): QMP's ShutdownCause.
ACTIONS = {"guest-shutdown": "poweroff", "guest-reset": "reboot"}


def main() -> int:
    folder, power, listeners_socket = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    settings = MachineSettings.read(folder)
    # What copies a connection is nobody's child once qemu has started it: it becomes ours, and is not waited for.
    processes.become_subreaper()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    virtual_disk.lay(folder, settings.disk_bytes or settings.volume_bytes)
    ports = _open_network(listeners_socket)
    monitor, theirs = socket.socketpair()
    machine = subprocess.Popen(
        _qemu(folder, settings, ports, theirs.fileno()),
        stdin=subprocess.DEVNULL,
        cwd=folder,
        env={**os.environ, MACHINE_VARIABLE: settings.marker},
        pass_fds=[theirs.fileno()],
        preexec_fn=processes.die_with_parent,
    )
    theirs.close()
    action = _supply(machine, monitor, power)
    machine.wait()
    if action:
        write_atomically(folder / "power.json", json.dumps({"action": action}))
    return 0


def _open_network(listeners_socket: int) -> dict[str, int]:
    """Hand out the listeners of the metadata service and of AWS; return the ports at which addresses of the machine end."""
    listeners = [socket.create_server(("127.0.0.1", 0), backlog=128) for _ in range(2)]
    with socket.socket(fileno=listeners_socket) as channel:
        socket.send_fds(channel, [b"listeners"], [listener.fileno() for listener in listeners])
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return dict(zip((METADATA_ADDRESS, virtual_disk.AWS_ADDRESS), ports, strict=True))


def _qemu(folder: Path, settings: MachineSettings, ports: dict[str, int], monitor: int) -> list[str]:
    kernel, initrd = virtual_disk.kernel()
    # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/identify_ec2_instances.html
    uuid = UUID("ec2" + hashlib.sha256(settings.instance_id.encode()).hexdigest()[:29])
    # `restrict`: the machine reaches these two addresses, and neither this computer nor what is beyond it.
    network = "user,id=network,net=169.254.0.0/16,host=169.254.0.2,dhcpstart=169.254.10.10,ipv6=off,restrict=on"
    for address, port in ports.items():
        command = shlex.join([sys.executable, "-I", "-S", copier.__file__, str(port)])
        network += f",guestfwd=tcp:{address}:80-cmd:{command.replace(',', ',,')}"
    return [
        "qemu-system-x86_64",
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-name", settings.instance_id),
        # Not KVM, which many computers that are virtual themselves have but cannot run.
        *("-accel", "tcg,thread=multi", "-cpu", "max"),
        *("-smp", str(min(os.cpu_count() or 1, MAX_CPUS)), "-m", MEMORY),
        *("-smbios", f"type=1,manufacturer=Amazon EC2,uuid={uuid},serial={uuid}"),
        *("-kernel", str(kernel), "-initrd", str(initrd), "-append", KERNEL),
        # What this computer loses when it crashes is lost; the machine's own shutdown writes everything.
        *("-drive", f"file={virtual_disk.NAME},format=qcow2,if=virtio,cache=unsafe,discard=unmap"),
        *("-netdev", network, "-device", "virtio-net-pci,netdev=network,romfile="),
        *("-device", "virtio-rng-pci"),
        *("-chardev", "file,id=console,path=console.log,append=on", "-serial", "chardev:console"),
        *("-chardev", f"socket,id=monitor,fd={monitor}", "-mon", "chardev=monitor,mode=control"),
    ]


def _supply(machine: subprocess.Popen[bytes], monitor: socket.socket, power: int) -> str:
    """Do what the power line says until qemu is gone. Returns the machine's last action, empty when it was killed."""
    action = ""
    events = monitor.makefile("rb")
    monitor.sendall(b'{"execute": "qmp_capabilities"}\n')
    with selectors.DefaultSelector() as selector:
        selector.register(monitor, selectors.EVENT_READ)
        selector.register(power, selectors.EVENT_READ)
        while True:
            ready = {key.fd for key, _ in selector.select()}
            if power in ready:
                if os.read(power, 64):
                    with contextlib.suppress(OSError):  # it is off already
                        monitor.sendall(b'{"execute": "system_powerdown"}\n')
                else:
                    selector.unregister(power)
                    machine.kill()
            if monitor.fileno() in ready:
                line = b""
                with contextlib.suppress(ConnectionResetError):  # killed before it had read everything
                    line = events.readline()
                if not line.endswith(b"\n"):
                    return action
                said = json.loads(line)
                if said.get("event") == "SHUTDOWN":
                    action = ACTIONS.get(said["data"]["reason"], "")


if __name__ == "__main__":
    raise SystemExit(main())
