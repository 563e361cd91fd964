"""Upstream's own training script of Chronos-T5, from the source distribution of the very version that is installed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# What the script imports beside the training environment's packages; pip finds out what these need.
IMPORTS = ("gluonts==0.17.0", "typer", "typer-config[yaml]", "tensorboard")
ARROW = """
import json, sys
from pathlib import Path
from gluonts.dataset.arrow import ArrowWriter
import numpy as np, pandas as pd
panel = json.loads(Path(sys.argv[1]).read_text())
entries = [{"start": np.datetime64("2020-01-01 00:00", "s"), "target": np.array(one)} for one in panel]
ArrowWriter(compression="lz4").write_to_file(entries, path=Path(sys.argv[2]))
"""


def windows_per_second(series: list[list[float]], config: Any, folder: Path) -> float:
    """Return what the script says of its own speed: the same model, windows, batch and one thread as `config`.

    `series` are what the script may learn from. It ends the program with the script's words when it fails.
    """
    place = _place()
    environment = {
        **os.environ, "PYTHONPATH": str(place / "packages"), "OMP_NUM_THREADS": "1", "TENSORBOARD_LOGGING_DIR": str(folder),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }  # fmt: skip
    size, how = config.model, config.training
    (folder / "panel.json").write_text(json.dumps(series))
    _run([sys.executable, "-c", ARROW, str(folder / "panel.json"), str(folder / "panel.arrow")], environment)
    core = {
        "architectures": ["T5ForConditionalGeneration"], "model_type": "t5", "d_model": size.d_model, "d_kv": size.d_kv,
        "d_ff": size.d_ff, "num_layers": size.num_layers, "num_heads": size.num_heads, "dropout_rate": size.dropout_rate,
        "feed_forward_proj": "relu", "vocab_size": size.vocabulary, "decoder_start_token_id": 0,
    }  # fmt: skip
    (folder / "t5").mkdir()
    (folder / "t5/config.json").write_text(json.dumps(core))
    settings = {
        "training_data_paths": [str(folder / "panel.arrow")], "context_length": size.context_length,
        "prediction_length": config.forecast.prediction_length, "min_past": size.context_length, "max_steps": how.steps,
        "save_steps": 10**9, "log_steps": how.log_every_steps, "per_device_train_batch_size": how.batch_size,
        "gradient_accumulation_steps": 1, "learning_rate": how.learning_rate, "model_id": str(folder / "t5"), "random_init": True,
        "output_dir": str(folder / "out"), "tf32": False, "torch_compile": False, "n_tokens": size.vocabulary,
        "dataloader_num_workers": 0, "seed": how.seed,
    }  # fmt: skip
    settings["training_data_paths"] = str(settings["training_data_paths"])
    (folder / "config.yaml").write_text(json.dumps(settings))  # JSON is YAML
    said = _run([sys.executable, str(place / "train.py"), "--config", str(folder / "config.yaml")], environment)
    found = re.search(r"'train_samples_per_second': '?([0-9.]+)", said)
    if found is None:
        raise SystemExit(f"bench: upstream's script did not say how fast it was:\n{said[-2000:]}")
    return float(found[1])


def _place() -> Path:
    """Return the folder with train.py and `packages`, made now unless it is there."""
    version = metadata.version("chronos-forecasting")
    # The training environment's own versions stay: only what it lacks is installed.
    has = "\n".join(
        f"{one.name}=={one.version}" for one in metadata.distributions() if one.name and one.name != "torch"
    )
    final = ROOT / ".cache/bench" / f"upstream-{hashlib.sha256(has.encode()).hexdigest()[:16]}"
    if final.is_dir():
        return final
    partial = final.with_suffix(f".{os.getpid()}")
    partial.mkdir(parents=True)
    pip = [str(ROOT / ".venv/bin/python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    _run(
        [
            *pip,
            "download",
            "--no-deps",
            "--no-binary",
            ":all:",
            "--dest",
            str(partial),
            f"chronos-forecasting=={version}",
        ]
    )
    with tarfile.open(next(partial.glob("*.tar.gz"))) as archive:
        name = f"chronos_forecasting-{version}/scripts/training/train.py"
        script = archive.extractfile(name)
        if script is None:
            raise SystemExit(f"bench: the source distribution has no {name}")
        (partial / "train.py").write_bytes(script.read())
    (partial / "has.txt").write_text(has)
    _run([*pip, "install", "--target", str(partial / "all"), "--constraint", str(partial / "has.txt"), *IMPORTS])
    _without_duplicates(partial / "all", partial / "packages")
    shutil.rmtree(partial / "all")
    partial.rename(final)
    return final


def _without_duplicates(everything: Path, packages: Path) -> None:
    """Keep what the training environment does not have: its own numpy and pandas must be the ones that are imported."""
    there = {one.name.lower().replace("_", "-") for one in metadata.distributions() if one.name}
    packages.mkdir()
    for found in metadata.distributions(path=[str(everything)]):
        if found.name.lower().replace("_", "-") in there:
            continue
        for file in found.files or ():
            source, target = everything / file, packages / file
            if source.is_file() and ".." not in file.parts:
                target.parent.mkdir(parents=True, exist_ok=True)
                source.replace(target)


def _run(command: list[str], environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise SystemExit(f"bench: {' '.join(command[:4])} … ended with {done.returncode}:\n{done.stdout[-3000:]}")
    return done.stdout
