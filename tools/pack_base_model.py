"""Put a pretrained model into the package: `python tools/pack_base_model.py NAME PART...`.

Each PART is the output folder of a part of the pretraining (docs/base-models.md), in their order; `FOLDER:STEP` where the next part
began with the model of that step. With `--after` they follow the parts of the model NAME that is in the package already, and `--average` takes the mean of its weights and
those at the end of the last part (arXiv:2109.01903).
What goes into training/src/chronos_training/base_models/NAME: weights in safetensors, upstream's config.json, the forecast task without
any dates (the windows of no dataset of a user were seen), what the parts were trained with, and a model card.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file, save_file

ROOT = Path(__file__).resolve().parents[1]
MAKER = "python -m chronos_training.data.synthetic.panel"
SERIES = [
    f"{MAKER} --series 24000 --seed 20261128 --output synthetic.parquet",
    f"{MAKER} --series 48000 --seed 20261129 --shortest 112 --full 352 --output short.parquet",
    f"{MAKER} --series 12000 --seed 20261130 --shortest 112 --full 352 --output further.parquet",
    "python tools/real_series.py --packages packages --append-to further.parquet --output mixed.parquet",
]
CARD = """---
license: apache-2.0
library_name: chronos-forecasting
tags: [time-series, forecasting, {family}]
---

# {name}

A small {title} of {parameters:,} parameters, to start a training from and for zero-shot forecasts where no hub can be reached.
It comes with Chronos Training as `builtin:{name}`.

- **Forecasts**: up to {horizon} observations of one column, without covariates, from at most {context} observations in
  patches of {patch}; quantiles {levels}.
- **Data**: synthetic series from the priors in docs/base-models.md (trends, seasons, SARIMA, Gaussian processes, counts, intermittent
  demand, prices), and in the last part real series of packages, each listed with its licence in docs/base-models.md. None is a
  panel that docs/panels.md judges. Made by:
{series}
- **Training**, on one core; `pretraining.json` has the configuration of each part, docs/base-models.md the commands:
{parts}
  - the packaged weights are the mean of those before and after the last part.
- **Quality**: {quality}
- **Licence**: Apache-2.0, as the code. Architecture and loader: chronos-forecasting (Apache-2.0).
"""
QUALITY = {
    "chronos2": "docs/panels.md has the zero-shot results and those after a training, on real panels.",
    "chronos_bolt": "docs/base-models.md says for what it is good.",
}
TITLES = {"chronos2": "Chronos-2", "chronos_bolt": "Chronos-Bolt"}
RATES = {
    "constant_with_warmup": "at a constant learning rate of {:g}",
    "linear": "at a learning rate that falls from {:g} to zero",
}


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    one = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    one.add_argument("name")
    one.add_argument("parts", nargs="+", metavar="FOLDER[:STEP]")
    one.add_argument("--after", action="store_true", help="the parts follow those of the model that is in the package")
    one.add_argument(
        "--average", action="store_true", help="with --after: the mean of the old weights and the new ones"
    )
    return one


def main() -> int:
    """Write the folder; returns the exit code."""
    options = parser().parse_args()
    target = ROOT / "training/src/chronos_training/base_models" / options.name
    parts: list[Any] = json.loads((target / "pretraining.json").read_text())["parts"] if options.after else []
    folder = Path()
    for one in options.parts:
        path, _, step = one.partition(":")
        folder = Path(path)
        part = json.loads((folder / "run_spec.json").read_text())["training"]
        part["training"]["steps"] = int(step or part["training"]["steps"])  # it may have been meant to run longer
        parts.append(part)
    source = next((folder / "models").iterdir())
    target.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source / "config.json", target / "config.json")
    weights = load_file(source / "model.safetensors")
    if options.average:
        before = load_file(target / "model.safetensors")
        weights = {key: (values + before[key]) / 2 for key, values in weights.items()}
    save_file(weights, target / "model.safetensors", metadata={"format": "pt"})
    task = json.loads((source / "forecast_task.json").read_text())
    task |= {"freq": "", "season_length": None, "train_end": "", "train_ends": {}, "dataset": "", "elsewhere": {}}
    write(target / "forecast_task.json", task)
    write(target / "pretraining.json", {"series": SERIES, "parts": parts})
    parameters = sum(values.size for values in weights.values())
    (target / "README.md").write_text(card(options.name, parts, task["levels"], parameters), encoding="utf-8")
    print(f"{target}: {sum(file.stat().st_size for file in target.iterdir()):,} bytes, {parameters:,} parameters")
    return 0


def card(name: str, parts: list[Any], levels: list[float], parameters: int) -> str:
    """Return the model card."""
    model = parts[0]["model"]
    return CARD.format(
        name=name,
        family=model["family"],
        title=TITLES[model["family"]],
        parameters=parameters,
        horizon=parts[0]["forecast"]["prediction_length"],
        context=model["context_length"],
        patch=model["patch_size"],
        levels=", ".join(f"{level:g}" for level in levels),
        quality=QUALITY[model["family"]],
        series="\n".join(f"  `{command}`" for command in SERIES),
        parts="\n".join(_line(part["training"]) for part in parts),
    )


def _line(how: dict[str, Any]) -> str:
    rate = RATES[how["lr_scheduler"]].format(how["learning_rate"])
    return f"  - {how['steps']:,} steps of {how['batch_size']} windows {rate}, seed {how['seed']};"


def write(path: Path, content: object) -> None:
    """Write JSON as the package's other files have it."""
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
