"""Build the Python environment of the instances: interpreter, locked packages, compiled, in one folder (R12).

Built beside its final place and renamed when complete, so that an interrupted build is never taken for a whole one.
"""

from __future__ import annotations

import ast
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import uv
from packaging.utils import canonicalize_name
from packaging.version import Version

from chronos_training.control.publish import glibc, installer, squashfs
from chronos_training.control.publish import interpreter as interpreters
from chronos_training.control.publish.interpreter import INSTANCE_GLIBC, Interpreter
from chronos_training.control.publish.locked import Pin, linux_x86_64, pins, requirements, this_machine, without_gpu
from chronos_training.control.publish.packing import pack_folder
from chronos_training.core.commands import make
from chronos_training.core.errors import TrainingError

# Raise it when what a build contains changes although its inputs do not.
FORMAT = 2
_FORMS = {"image": "env.sqfs", "archive": "env.tar.zst"}
KEPT_BUILDS = 3  # of two kinds
# Never imported in a run: test programs and headers for C++ extensions (200 MB of torch), the tests of big packages.
_TRIMMED = (
    "bin",
    "torch/bin/*test*",
    "torch/bin/protoc*",
    "torch/include",
    "torch/share/cmake",
    "torch/test",
    "pyarrow/include",
    "pyarrow/tests",
    "pandas/tests",
    "numpy/**/tests",
    "matplotlib/tests",
    "sympy/**/tests",
    "networkx/**/tests",
)
INSTANCE_PLATFORM = f"x86_64-manylinux_{INSTANCE_GLIBC[0]}_{INSTANCE_GLIBC[1]}"  # its wheels and those of older ones
Emit = Callable[[str], None]


@dataclass(frozen=True)
class Target:
    """What to build. `training` is the folder with pyproject.toml and poetry.lock."""

    training: Path
    interpreter: Interpreter
    for_this_machine: bool
    torch: str = "cuda"  # or cpu; for instances only, this machine takes the build that its index has
    kind: str = "chronos"  # or autogluon: the same packages and AutoGluon's

    @property
    def cpu_torch(self) -> bool:
        """Return whether torch has to be the CPU build."""
        return self.torch == "cpu" and not self.for_this_machine

    @property
    def extras(self) -> tuple[str, ...]:
        """Return the extras of the lock: what the CUDA build of torch needs comes with that only."""
        chosen = ["stack"] if self.for_this_machine or self.cpu_torch else ["cuda", "stack"]
        return tuple(chosen if self.kind == "chronos" else [self.kind, *chosen])

    @property
    def build_id(self) -> str:
        """Return the digest of everything that decides the content; equal ids mean equal environments."""
        parts = {
            "format": str(FORMAT),
            "lock": _digest(self.training / "poetry.lock"),
            "project": _digest(self.training / "pyproject.toml"),
            "python": self.interpreter.version,
            "platform": self.interpreter.platform,
            # Debian's 3.11.2 and one built from source differ; so do two folders.
            "executable": _digest(self.interpreter.executable),
            "target": "this_machine" if self.for_this_machine else f"linux-x86_64 {self.torch}",
        }
        if self.kind != "chronos":
            parts["kind"] = self.kind
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Built:
    """A complete build: `root` is the environment itself; `image` and `archive` are the same packed, each None where it is not.

    `about` is venv-metadata.json.
    """

    root: Path
    image: Path | None
    archive: Path | None
    metadata: Path
    about: dict[str, Any]

    @property
    def unpacked_size(self) -> int:
        """Return the bytes of all files."""
        files = (Path(folder, name) for folder, _, names in os.walk(self.root) for name in names)
        return sum(file.stat().st_size for file in files if not file.is_symlink())


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise TrainingError(
            f"{path} cannot be read: {error.strerror}.",
            hint="It is part of this repository: restore it with git.",
            code="build_failed",
        ) from error


def find(target: Target, cache: Path) -> Built | None:
    """Return the complete build of `target` below `cache`, or None."""
    folder = cache / "runtime" / target.build_id
    metadata = folder / "venv-metadata.json"
    try:
        about = json.loads(metadata.read_text(encoding="utf-8"))
        packed = {form: folder / name if about.get(form) else None for form, name in _FORMS.items()}
        whole = (folder / "root/bin").is_dir() and any(packed.values())
        whole = whole and all(path.stat().st_size == about[form]["size"] for form, path in packed.items() if path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return Built(folder / "root", packed["image"], packed["archive"], metadata, about) if whole else None


def build(target: Target, cache: Path, emit: Emit, *, archive: bool = False) -> Built:
    """Return the build of `target`, made now unless it is there. TrainingError when a package is not available.

    It is packed as an image, and as an archive where no image can be made here, or with `archive`.
    """
    store = cache / "runtime"
    store.mkdir(parents=True, exist_ok=True)
    with _alone(store, emit):
        found = find(target, cache)
        if found:
            os.utime(found.root.parent)  # the most recently used builds are the ones that are kept
            about = _packed(found.root.parent, found.about, archive, emit)
            if about != found.about:
                _write_metadata(found.root.parent, about)
            return find(target, cache) or found
        _remove_leftovers(store)
        partial = store / f".building-{target.build_id}"
        try:
            _build(target, partial, cache, emit, archive)
        except OSError as error:
            raise TrainingError(
                f"The environment could not be built: {error.strerror or error} ({error.filename}).",
                code="build_failed",
            ) from error
        final = store / target.build_id
        shutil.rmtree(final, ignore_errors=True)
        partial.rename(final)
        _forget_old(store)
    built = find(target, cache)
    if built is None:
        raise TrainingError(
            f"The build in {final} vanished: another process removed it.", hint="Publish again.", code="build_failed"
        )
    return built


@contextmanager
def _alone(store: Path, emit: Emit) -> Iterator[None]:
    """Hold the store for one builder at a time; another one waits and then finds the work done."""
    with (store / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            emit("waiting for another process that is building the environment")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _remove_leftovers(store: Path) -> None:
    for folder in store.glob(".building-*"):
        shutil.rmtree(folder)


def _forget_old(store: Path) -> None:
    complete = sorted((path for path in store.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
    for folder in complete[:-KEPT_BUILDS]:
        shutil.rmtree(folder, ignore_errors=True)


def _build(target: Target, folder: Path, cache: Path, emit: Emit, archive: bool) -> None:
    root = folder / "root"
    markers = this_machine() if target.for_this_machine else linux_x86_64(target.interpreter.version)
    locked = pins(target.training / "poetry.lock", extras=target.extras, environment=markers)
    with _timed(f"Python {target.interpreter.version} for {target.interpreter.platform}", emit):
        interpreters.lay_out(target.interpreter, root)
    packages = interpreters.site_packages(target.interpreter, root)
    with _timed("packages installed", emit) as note:
        if target.cpu_torch:
            locked = without_gpu(locked)
        _install(target, locked, folder, packages, cache)
        _check_torch(target, packages)
        _trim(packages)
        installed = _verified(packages, locked)
        note(f"{len(installed)} of the locked versions")
    with _timed("compiled modules", emit):
        _compile(target.interpreter, root)
    if target.for_this_machine:
        _check_starts(root)
        needed = target.interpreter.glibc
    else:
        needed = glibc.check(root, INSTANCE_GLIBC)
    about = {
        "schema_version": 1,
        "build_id": target.build_id,
        "python": target.interpreter.version,
        "platform": target.interpreter.platform,
        "glibc": needed,
        "torch": torch_build(packages),
        "created_at": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "packages": installed,
    }
    _write_metadata(folder, _packed(folder, about, archive, emit))  # last: without it the folder is not a build


def _write_metadata(folder: Path, about: dict[str, Any]) -> None:
    partial = folder / "venv-metadata.partial"
    partial.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    partial.rename(folder / "venv-metadata.json")


def _packed(folder: Path, about: dict[str, Any], archive: bool, emit: Emit) -> dict[str, Any]:
    """Pack `folder`/root in the forms that are missing; return `about` with sha256 and size of each, None where there is none."""
    root, forms = folder / "root", {form: about.get(form) for form in _FORMS}
    # Side by side: each of them leaves cores idle part of the time.
    with ThreadPoolExecutor(1) as pool:
        image = None if forms["image"] else pool.submit(_pack_image, root, folder / _FORMS["image"], emit)
        if archive and not forms["archive"]:
            forms["archive"] = _pack_archive(root, folder / _FORMS["archive"], emit)
        if image:
            forms["image"] = image.result()
    if not any(forms.values()):
        forms["archive"] = _pack_archive(root, folder / _FORMS["archive"], emit)
    return {**about, **forms}


def _pack_archive(root: Path, archive: Path, emit: Emit) -> dict[str, Any]:
    with _timed("archive", emit) as note:
        packed = pack_folder(root, archive)
        note(f"{packed.files:,} files, {packed.unpacked_size / 1e6:,.0f} MB packed to {packed.size / 1e6:,.0f} MB")
    return {"sha256": packed.sha256, "size": packed.size}


def _pack_image(root: Path, image: Path, emit: Emit) -> dict[str, Any] | None:
    """Return the image's sha256 and size, or None, with one line that says why there is none."""
    if not squashfs.can_pack():
        emit(f"environment: no image to mount, {squashfs.MISSING}; instances unpack an archive")
        return None
    try:
        with _timed("image", emit) as note:
            about = squashfs.pack_image(root, image)
            note(f"{about['size'] / 1e6:,.0f} MB")
    except OSError as error:
        emit(f"environment: no image to mount ({error}); instances unpack an archive")
        return None
    return about


def torch_build(packages: Path) -> str:
    """Return torch's own version with its build (`2.13.0+cu130`), or an empty string without torch.

    The wheel's metadata says 2.13.0 whatever it was built for, but preflight compares with what torch says of itself.
    Read, not imported: the environment may be for another machine.
    """
    try:
        source = (packages / "torch/version.py").read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    assigned = {
        node.targets[0].id: node.value.value
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    return str(assigned.get("__version__", ""))


@contextmanager
def _timed(what: str, emit: Emit) -> Iterator[Callable[[str], None]]:
    """Say `what` and the seconds it took, with whatever the block noted."""
    notes: list[str] = []
    begun = time.monotonic()
    yield notes.append
    detail = f" ({'; '.join(notes)})" if notes else ""
    emit(f"environment: {what}{detail}: {time.monotonic() - begun:.0f} s")


def _install(target: Target, locked: list[Pin], folder: Path, packages: Path, cache: Path) -> None:
    words = ["--target", str(packages)]
    if target.for_this_machine:
        # Versions only: this machine may have another build of torch (CPU) than the lock's hashes.
        constraints = folder / "constraints.txt"
        constraints.write_text("".join(f"{pin.name}=={pin.version}\n" for pin in locked), encoding="utf-8")
        lines = requirements(target.training / "pyproject.toml", extras=target.extras)
        _uv([*words, "--constraint", str(constraints)], lines, folder, cache)
        return
    # Exactly the locked files, for the instances' platform: nothing is resolved.
    words += ["--no-deps", "--no-build", "--python-version", target.interpreter.series]
    words += ["--python-platform", INSTANCE_PLATFORM]
    # The lock has the files of one index; a CPU build of torch comes from another one, which the person's pip knows.
    apart = [pin for pin in locked if target.cpu_torch and pin.name == "torch"]
    lines = [_exactly(pin) for pin in locked if pin not in apart]
    _uv([*words, "--require-hashes"], lines, folder, cache)
    if apart:
        hint = "Set PIP_EXTRA_INDEX_URL to the package index that has the CPU builds of torch."
        _uv(words, [f"{pin.name}=={pin.version}+cpu" for pin in apart], folder, cache, hint)


def _exactly(pin: Pin) -> str:
    # `==` would prefer a local build, 2.13.0+cpu, to the 2.13.0 of the lock.
    equals = "===" if pin.name == "torch" else "=="
    return " ".join([f"{pin.name}{equals}{pin.version}", *(f"--hash={h}" for h in pin.hashes)])


def _uv(words: list[str], lines: list[str], folder: Path, cache: Path, hint: str = "") -> None:
    """Install these requirement lines. TrainingError with uv's own sentence."""
    wanted, log = folder / "requirements.txt", folder / "uv.log"
    wanted.write_text("\n".join(lines) + "\n", encoding="utf-8")
    try:
        installer.install(uv.find_uv_bin(), [*words, "--requirement", str(wanted)], cache, log)
    except installer.InstallError as error:
        kept = shutil.copyfile(log, cache / "runtime" / "uv.log")
        raise TrainingError(
            f"uv could not install the locked packages: {error}",
            hint=f"{hint} Full output: {kept}.".strip(),
            code="build_failed",
        ) from error


def _check_torch(target: Target, packages: Path) -> None:
    """TrainingError when the build of torch is not the one that was asked for."""
    found = torch_build(packages)
    if found and not target.for_this_machine and ("+cpu" in found) != target.cpu_torch:
        raise TrainingError(
            f"training_runtime_torch is {target.torch}, but torch {found} was installed.",
            hint="pip's own settings (PIP_FIND_LINKS, PIP_EXTRA_INDEX_URL) decide where it comes from.",
            code="build_failed",
        )


def _trim(packages: Path) -> None:
    for pattern in _TRIMMED:
        for path in list(packages.glob(pattern)):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def _verified(packages: Path, locked: Iterable[Pin]) -> dict[str, str]:
    """Return name → version of what lies in `packages`. TrainingError when something is not as locked."""
    versions = {pin.name: Version(pin.version) for pin in locked}
    installed: dict[str, str] = {}
    for distribution in distributions(path=[str(packages)]):
        name, version = canonicalize_name(distribution.metadata["Name"]), distribution.version
        # `2.13.0+cpu` is a build of the locked 2.13.0.
        if name not in versions or Version(version).public != versions[name].public:
            raise TrainingError(
                f"{name} {version} was installed, and the lock has {versions.get(name, 'no such package')}.",
                hint=f"Lock again: {make('lock')}",
                code="build_failed",
            )
        installed[name] = version
    return dict(sorted(installed.items()))


def _compile(interpreter: Interpreter, root: Path) -> None:
    """Write .pyc files that are valid wherever the environment lies and whatever the files' times are."""
    own = root / "bin/python3"
    compiler = str(own) if _starts(own) else sys.executable
    if compiler == sys.executable and not sys.version.startswith(interpreter.series + "."):
        return  # a foreign interpreter of another series: it compiles on first import, some seconds slower
    command = [compiler, "-I", "-m", "compileall", "-q", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    # Files that do not compile are templates and test data of packages: the exit code says nothing.
    subprocess.run([*command, "-s", str(root), str(root / "lib")], capture_output=True, check=False)


def _starts(python: Path) -> bool:
    try:
        return subprocess.run([str(python), "-I", "-c", ""], capture_output=True).returncode == 0
    except OSError:
        return False


def _check_starts(root: Path) -> None:
    """TrainingError unless the copied interpreter starts from here with its own library and packages."""
    code = "import ssl, sys, sysconfig; print(sys.prefix); print(*sys.path, sep='\\n')"
    result = subprocess.run([str(root / "bin/python3"), "-I", "-c", code], capture_output=True, text=True, env={})
    lines = result.stdout.splitlines()
    packages = any(line.endswith("site-packages") and line.startswith(str(root.resolve())) for line in lines[1:])
    if result.returncode or Path(lines[0]).resolve() != root.resolve() or not packages:
        said = (result.stderr.strip().splitlines() or lines[:1] or ["no output"])[-1]
        raise TrainingError(
            f"This machine's Python cannot be copied into an environment ({said}).",
            hint=f"Use another Python ({make('setup', PYTHON='python3.12')}), or set training_runtime_interpreter to a relocatable one.",
            code="build_failed",
        )
