"""A program that becomes another: makes the file system of an execution environment, and starts what runs in it.

    python -I -S sandbox.py '{"argv": […], "cwd": "/var/task", "binds": {"/var/task": FOLDER, …}, "storage": MiB}'

Functions see their code at /var/task, which they cannot write, the runtime at /var/runtime, and a /tmp of their own that is as
large as EphemeralStorage says: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html. Nothing of it is seen outside of the
process, and it goes with it. Imports the standard library only, and little of that: it is part of every cold start.
"""

import ctypes
import json
import os
import sys

_NEWNS, _NEWUSER = 0x00020000, 0x10000000
_RDONLY, _NOSUID, _NODEV, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18


def main() -> None:
    """Become what argv says."""
    wanted = json.loads(sys.argv[1])
    if wanted.get("binds"):
        _make(wanted["binds"], wanted["storage"])
    os.chdir(wanted["cwd"])
    argv = wanted["argv"]
    os.execvpe(argv[0], argv, os.environ)  # noqa: S606


def _make(binds: "dict[str, str]", storage: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)

    def check(result: int) -> None:
        if result:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
        words = [word.encode() or None for word in (source, target, kind)]
        check(libc.mount(*words, ctypes.c_ulong(flags), data.encode() or None))

    if os.getuid() == 0:
        check(libc.unshare(_NEWNS))
    else:
        uid, gid = os.getuid(), os.getgid()
        check(libc.unshare(_NEWUSER | _NEWNS))
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{uid} {uid} 1")
        _write("/proc/self/gid_map", f"{gid} {gid} 1")
    mount("none", "/", flags=_REC | _PRIVATE)
    # /var, because that exists everywhere and no function needs what is there.
    mount("tmpfs", "/var", "tmpfs", data="mode=755,size=1m")
    for place, source in binds.items():
        os.makedirs(place)
        mount(source, place, flags=_BIND)
    mount("none", "/var/task", flags=_BIND | _REMOUNT | _RDONLY | _NOSUID | _NODEV)
    mount("tmpfs", "/tmp", "tmpfs", data=f"mode=1777,size={storage}m")  # noqa: S108


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


if __name__ == "__main__":
    main()
