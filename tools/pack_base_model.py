"""Put a pretrained model into the package: `python tools/pack_base_model.py FIRST STEP SECOND NAME`.

FIRST and SECOND are the output folders of the two parts of a pretraining (docs/base-models.md), STEP the step of FIRST that SECOND
began with. What goes into
training/src/chronos_training/base_models/NAME: weights in safetensors, upstream's config.json, the forecast task without any dates (the
series are synthetic, so no window of real data was seen), what both parts were trained with, and a model card.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from safetensors import safe_open

ROOT = Path(__file__).resolve().parents[1]
MAKER = "python -m chronos_training.data.synthetic.panel"
LONG = f"{MAKER} --series 24000 --seed 20261128 --output synthetic.parquet"
SHORT = f"{MAKER} --series 48000 --seed 20261129 --shortest 112 --full 352 --output short.parquet"
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
- **Data**: synthetic series only, drawn by
  `{long}` and
  `{short}`
  from the priors in docs/base-models.md (trends, seasons, SARIMA, Gaussian processes, counts, intermittent demand, prices). No real
  series was used, so no real panel can have been seen.
- **Training**: {first:,} steps of {batch} windows of the first series at a constant learning rate of {rate:g}, seed {first_seed}, then
  {second:,} steps with the second ones, in which it falls to zero, seed {second_seed}; on one core. `pretraining.json` has both configurations,
  docs/base-models.md the commands.
- **Quality**: {quality}
- **Licence**: Apache-2.0, as the code. Architecture and loader: chronos-forecasting (Apache-2.0).
"""
QUALITY = {
    "chronos2": "docs/panels.md has the zero-shot results and those after a training, on 18 real panels.",
    "chronos_bolt": "it knows levels and spread; seasons it learnt hardly at all in so few steps. Zero-shot, chronos-2-small is\n"
    "  the better choice. As a start it beats random weights where windows are few: 1.07 instead of 1.44 of seasonal naive's\n"
    "  WQL on 20 quarterly series of visitor nights, 0.81 instead of 1.08 on 32 of prisoners (seed 0).",
}
TITLES = {"chronos2": "Chronos-2", "chronos_bolt": "Chronos-Bolt"}


def main(arguments: list[str]) -> int:
    """Write the folder; returns the exit code."""
    first, step, second, name = Path(arguments[0]), int(arguments[1]), Path(arguments[2]), arguments[3]
    parts = [json.loads((folder / "run_spec.json").read_text())["training"] for folder in (first, second)]
    parts[0]["training"]["steps"] = step  # it may have been meant to run longer
    source = next((second / "models").iterdir())
    target = ROOT / "training/src/chronos_training/base_models" / name
    target.mkdir(parents=True, exist_ok=True)
    for file in ("config.json", "model.safetensors"):
        shutil.copyfile(source / file, target / file)
    task = json.loads((source / "forecast_task.json").read_text())
    task |= {"freq": "", "season_length": None, "train_end": "", "train_ends": {}, "dataset": "", "elsewhere": {}}
    write(target / "forecast_task.json", task)
    write(target / "pretraining.json", {"series": [LONG, SHORT], "parts": parts})
    with safe_open(target / "model.safetensors", framework="np") as weights:
        parameters = sum(weights.get_tensor(key).size for key in weights.keys())  # noqa: SIM118 (no mapping)
    model, learn = parts[0]["model"], [part["training"] for part in parts]
    text = CARD.format(
        name=name,
        family=model["family"],
        title=TITLES[model["family"]],
        parameters=parameters,
        horizon=parts[0]["forecast"]["prediction_length"],
        context=model["context_length"],
        patch=model["patch_size"],
        levels=", ".join(f"{level:g}" for level in task["levels"]),
        quality=QUALITY[model["family"]],
        long=LONG,
        short=SHORT,
        first=learn[0]["steps"],
        second=learn[1]["steps"],
        batch=learn[0]["batch_size"],
        rate=learn[0]["learning_rate"],
        first_seed=learn[0]["seed"],
        second_seed=learn[1]["seed"],
    )
    (target / "README.md").write_text(text, encoding="utf-8")
    print(f"{target}: {sum(file.stat().st_size for file in target.iterdir()):,} bytes, {parameters:,} parameters")
    return 0


def write(path: Path, content: object) -> None:
    """Write JSON as the package's other files have it."""
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
