"""An image of level process in its own paths: a mount namespace in which /app is the image's /app.

The image's folders are laid over this computer's system (overlayfs), with a layer on top for what this one run writes;
/tmp is its own. So absolute paths are right, and nothing that is written is left to the next run. Root needs nothing for
it, anybody else a user namespace. Where neither is to be had (macOS, some containers), paths are translated instead:
command.py.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from local_aws.home import REPOSITORY_ROOT

# Of these, an image of this level has only a part: the rest is this computer's. All others are the image's alone.
_SYSTEM = frozenset(["bin", "etc", "lib", "lib32", "lib64", "libx32", "run", "sbin", "usr", "var"])
# RUN ROOT SYSTEM OPTIONS VISIBLE… -- CWD COMMAND…
_SCRIPT = r"""
set -e
run=$1 root=$2 system=$3 options=$4; shift 4
new=$run/new
mkdir -p "$new" "$run/tmp"
mount -t tmpfs tmpfs "$new"
for path in /*; do
    if [ -L "$path" ]; then cp -P "$path" "$new$path"
    elif [ -d "$path" ]; then mkdir "$new$path"; mount --rbind "$path" "$new$path"; fi
done
for path in "$root"/*; do
    name=${path##*/}
    if [ ! -d "$path" ] || [ -L "$path" ]; then cp -P "$path" "$new/$name"; continue; fi
    mkdir -p "$new/$name" "$run/upper/$name" "$run/work/$name"
    lower=$path
    case $system in *" $name "*) if [ -d "/$name" ]; then lower=$path:/$name; fi ;; esac
    mount -t overlay overlay -o "lowerdir=$lower,upperdir=$run/upper/$name,workdir=$run/work/$name$options" "$new/$name"
done
mkdir -p "$new/tmp"
mount --bind "$run/tmp" "$new/tmp"
while [ "$1" != -- ]; do mkdir -p "$new$1"; mount --rbind "$1" "$new$1"; shift; done
shift
cwd=$1; shift
mkdir -p "$new$cwd"
exec chroot "$new" env -C "$cwd" "$@"
"""


def words(run: Path, root: Path, home: Path, cwd: str, argv: list[str]) -> list[str]:
    """Return the command that runs `argv` in the image's own paths. `run` is a folder for this run alone."""
    hidden = tuple(f"/{name}/" for name in ("tmp", *(path.name for path in root.iterdir())) if name not in _SYSTEM)
    # What is needed all the same, where the image's folders or its /tmp would hide it.
    needed = {str(path) for path in (home, REPOSITORY_ROOT, Path(sys.prefix), Path(sys.base_prefix))}
    return _words(run, root, sorted(path for path in needed if path.startswith(hidden)), cwd, argv)


def _words(run: Path, root: Path, visible: Iterable[str], cwd: str, argv: list[str]) -> list[str]:
    own = os.geteuid() == 0
    options = "" if own else ",userxattr"
    namespaces = ["--mount"] if own else ["--user", "--map-root-user", "--mount"]
    script = ["sh", "-c", _SCRIPT, "sh", str(run), str(root), f" {' '.join(_SYSTEM)} ", options, *visible]
    return ["unshare", *namespaces, "--propagation", "private", *script, "--", cwd, *argv]


@functools.cache
def reason_not_to() -> str:
    """Why it cannot be done here, empty when it can. It is tried, not guessed."""
    if sys.platform != "linux":
        return "it needs Linux"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        root, run = Path(folder, "root"), Path(folder, "run")
        (root / "opt/here").mkdir(parents=True)
        run.mkdir()
        trial = _words(run, root, [], "/opt/here", ["touch", "there"])
        try:
            done = subprocess.run(trial, capture_output=True, text=True, timeout=20, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        made = (run / "upper/opt/here/there").exists()
        delete(run)
    return "" if done.returncode == 0 and made else (done.stderr.strip().splitlines() or ["no answer"])[-1]


def fits(root: Path) -> bool:
    """Whether the image can be laid over this computer's system: the image must not itself lie in there."""
    return not any(str(root).startswith(f"/{path.name}/") for path in root.iterdir() if path.name in _SYSTEM)


def delete(run: Path) -> None:
    """Delete what a run has left. Overlayfs leaves folders that only their owner can make readable."""

    def retry(function: object, path: str, _: object) -> None:
        try:
            os.chmod(path, 0o700)
            shutil.rmtree(path, ignore_errors=True)
        except OSError:
            pass

    shutil.rmtree(run, onerror=retry)
