"""The Python that goes into the environment: a copy of this machine's, or a relocatable one from a folder (C12)."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from chronos_training.core.errors import ConfigurationError

# The driver images (Ubuntu 22.04) have glibc 2.35; a program that asks for a newer one does not start there.
INSTANCE_GLIBC = (2, 35)
SUPPORTED = ("3.11", "3.12", "3.13")
# Of the standard library: its own tests, desktop toolkits, what only builds C extensions, and what pip installs.
_LEFT_OUT = {
    "test",
    "tests",
    "idlelib",
    "turtledemo",
    "tkinter",
    "ensurepip",
    "site-packages",
    "dist-packages",
    "__pycache__",
}
_HINT = (
    "Give the folder of a relocatable build, as `uv python install --install-dir DIR cpython-3.11-linux-x86_64-gnu`"
    " makes it (it holds bin/python3.11 and lib/python3.11/)."
)
# Debian's own builds look for packages in dist-packages; anywhere else nobody reads this file.
_SITE = """import os, site, sys
site.addsitedir(os.path.join(sys.prefix, "lib", "python%d.%d" % sys.version_info[:2], "site-packages"))
"""


@dataclass(frozen=True)
class Interpreter:
    """A Python to ship. `glibc` is the version it was found on (this machine's) or needs (a folder's); may be empty."""

    version: str
    platform: str
    glibc: str
    executable: Path
    stdlib: Path
    stdlib_name: str  # below the environment's root: lib/python3.11
    shared_library: Path | None = None
    linked: bool = False  # the executable cannot be copied (a macOS framework): refer to it instead

    @property
    def series(self) -> str:
        """Return `3.11` of `3.11.7`."""
        return ".".join(self.version.split(".")[:2])


def current() -> Interpreter:
    """Return the interpreter below the virtual environment that runs this."""
    version = platform.python_version()
    stdlib = Path(sysconfig.get_path("stdlib"))
    library = None
    if sysconfig.get_config_var("Py_ENABLE_SHARED") and sysconfig.get_config_var("INSTSONAME"):
        library = Path(sysconfig.get_config_var("LIBDIR")) / sysconfig.get_config_var("INSTSONAME")
    framework = bool(sysconfig.get_config_var("PYTHONFRAMEWORK"))
    return Interpreter(
        version=version,
        platform=f"{sys.platform}-{platform.machine()}",
        glibc=platform.libc_ver()[1] if platform.libc_ver()[0] == "glibc" else "",
        executable=Path(getattr(sys, "_base_executable", None) or sys.executable).resolve(),
        stdlib=stdlib,
        stdlib_name=f"lib/python{'.'.join(version.split('.')[:2])}" if framework else _below(stdlib, sys.base_prefix),
        shared_library=library if library and library.is_file() else None,
        linked=framework,
    )


def _below(stdlib: Path, prefix: str) -> str:
    try:
        return str(stdlib.resolve().relative_to(Path(prefix).resolve()))
    except ValueError:
        return f"lib/{stdlib.name}"


def from_folder(folder: Path) -> Interpreter:
    """Return the relocatable Linux x86_64 Python in `folder`, judged by its files: it need not start on this machine.

    Raises ConfigurationError when it is missing, incomplete, of another platform or needs too new a glibc.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"The interpreter folder {folder} does not exist.", hint=_HINT)
    for series in SUPPORTED:
        executable, stdlib = folder / f"bin/python{series}", folder / f"lib/python{series}"
        if executable.is_file() and (stdlib / "os.py").is_file():
            break
    else:
        raise ConfigurationError(f"The folder {folder} holds no Python {', '.join(SUPPORTED)}.", hint=_HINT)
    program = executable.read_bytes()
    # ELF, 64 bits, little-endian, machine 62.
    if program[:6] != b"\x7fELF\x02\x01" or program[18:20] != b"\x3e\x00":
        raise ConfigurationError(
            f"{executable} is not an x86_64 Linux program, and the instances need one.", hint=_HINT
        )
    library = next(iter(sorted(folder.glob(f"lib/libpython{series}.so.*"))), None)
    needed = _glibc_needed(program + (library.read_bytes() if library else b""))
    if needed > INSTANCE_GLIBC:
        raise ConfigurationError(
            f"{executable} needs glibc {needed[0]}.{needed[1]}, and the instances have"
            f" {INSTANCE_GLIBC[0]}.{INSTANCE_GLIBC[1]}.",
            hint=_HINT,
        )
    return Interpreter(
        version=_patch_version(folder, series),
        platform="linux-x86_64",
        glibc=f"{needed[0]}.{needed[1]}",
        executable=executable,
        stdlib=stdlib,
        stdlib_name=f"lib/python{series}",
        shared_library=library,
    )


def _glibc_needed(program: bytes) -> tuple[int, int]:
    return max(((2, int(minor)) for minor in re.findall(rb"GLIBC_2\.(\d+)", program)), default=(2, 0))


def _patch_version(folder: Path, series: str) -> str:
    header = folder / f"include/python{series}/patchlevel.h"
    found = re.search(r'#define\s+PY_VERSION\s+"([^"]+)"', header.read_text("utf-8")) if header.is_file() else None
    if not found:
        raise ConfigurationError(f"{folder} does not say its exact Python version (no {header.name}).", hint=_HINT)
    return found.group(1)


def lay_out(interpreter: Interpreter, root: Path) -> None:
    """Make bin/, the standard library and an empty site-packages below `root`, so that `root/bin/python3` starts."""
    binary = root / "bin" / f"python{interpreter.series}"
    binary.parent.mkdir(parents=True)
    (root / "bin/python3").symlink_to(binary.name)
    site_packages(interpreter, root).mkdir(parents=True)
    if interpreter.linked:
        binary.symlink_to(interpreter.executable)
        home = f"home = {interpreter.executable.parent}\ninclude-system-site-packages = false\n"
        (root / "pyvenv.cfg").write_text(home, encoding="utf-8")
        return
    shutil.copyfile(interpreter.executable, binary)
    binary.chmod(0o755)
    library = root / interpreter.stdlib_name
    shutil.copytree(interpreter.stdlib, library, ignore=_ignore, symlinks=False, dirs_exist_ok=True)
    if "dist-packages" in (library / "site.py").read_text(encoding="utf-8"):
        (library / "sitecustomize.py").write_text(_SITE, encoding="utf-8")
    if interpreter.shared_library:
        (root / "lib").mkdir(exist_ok=True)
        shutil.copyfile(interpreter.shared_library, root / "lib" / interpreter.shared_library.name)
        _look_beside(binary, interpreter.shared_library.parent)


def _ignore(folder: str, names: list[str]) -> set[str]:
    config = f"config-{sys.version_info[0]}"  # static libraries and makefiles
    extra = {name for name in names if name.startswith(("config-3.", config)) or name.endswith((".a", ".pyc"))}
    # A dangling link (Debian has some) would end the copy.
    dangling = {name for name in names if not Path(folder, name).exists()}
    return (_LEFT_OUT & set(names)) | extra | dangling | {"sitecustomize.py"} & set(names)


def _look_beside(binary: Path, folder: Path) -> None:
    """Make a program that looks for libpython in an absolute folder look in its own ../lib, if the words fit."""
    old, new = os.fsencode(folder) + b"\0", b"$ORIGIN/../lib\0"
    program = binary.read_bytes()
    # Once in the program, and as a string of its own: then it is the one that the loader reads.
    if len(new) <= len(old) and program.count(old) == 1 and b"\0" + old in program:
        binary.write_bytes(program.replace(old, new.ljust(len(old), b"\0")))


def site_packages(interpreter: Interpreter, root: Path) -> Path:
    """Return the folder that holds the packages."""
    return root / f"lib/python{interpreter.series}/site-packages"
