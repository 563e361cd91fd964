"""What is measured: families, sizes and precisions. Models come from a seed, panels from a seed or from the carried folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FAMILIES = ("chronos2", "chronos_bolt", "chronos_t5")
# d_kv, heads, layers and so on as of upstream's published models of about that size; `tiny` is what a small panel needs.
SIZES: dict[str, dict[str, int]] = {
    "tiny": {"d_model": 256, "d_kv": 64, "d_ff": 512, "num_layers": 3, "num_heads": 4},
    "small": {"d_model": 512, "d_kv": 64, "d_ff": 2048, "num_layers": 6, "num_heads": 8},
    "base": {"d_model": 768, "d_kv": 64, "d_ff": 3072, "num_layers": 12, "num_heads": 12},
}
SMOKE: dict[str, dict[str, int]] = {
    name: {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2} for name in SIZES
}
PRECISIONS = ("fp32", "tf32", "bf16", "fp16")


@dataclass(frozen=True)
class Case:
    """One model in one precision."""

    family: str
    size: str
    precision: str = "fp32"

    @property
    def name(self) -> str:
        """Return what a table's row is called."""
        return f"{self.family} {self.size}, {self.precision}"


# In this order, so that what matters most is measured when time runs out.
TRAINING = [
    Case("chronos2", "small", "bf16"), Case("chronos_bolt", "small", "bf16"), Case("chronos_t5", "small", "bf16"),
    Case("chronos2", "tiny", "bf16"), Case("chronos2", "base", "bf16"), Case("chronos2", "small", "fp32"),
    Case("chronos2", "small", "tf32"), Case("chronos2", "small", "fp16"), Case("chronos_bolt", "base", "bf16"),
    Case("chronos_t5", "base", "bf16"), Case("chronos2", "tiny", "fp32"), Case("chronos_bolt", "small", "fp32"),
    Case("chronos_t5", "small", "fp32"),
]  # fmt: skip
FORECASTING = [
    Case("chronos2", "small"), Case("chronos_bolt", "small"), Case("chronos_t5", "small"), Case("chronos2", "base"),
    Case("chronos2", "tiny"), Case("chronos_bolt", "base"),
]  # fmt: skip
CONVERGENCE = [Case(family, "panel", precision) for family in FAMILIES for precision in ("fp32", "bf16", "fp16")]
COMPILED = [Case("chronos2", "small", "bf16"), Case("chronos_bolt", "small", "bf16")]
RESUME = [Case(family, "tiny", "auto") for family in FAMILIES]


@dataclass(frozen=True)
class Cases:
    """What is measured, in order."""

    training: list[Case]
    forecasting: list[Case]
    convergence: list[Case]
    resume: list[Case]
    compiled: list[Case]


ALL = Cases(TRAINING, FORECASTING, CONVERGENCE, RESUME, COMPILED)
# Each family and each way once, for a look at whether everything works.
FEW = Cases(TRAINING[:3], FORECASTING[:3], [CONVERGENCE[0], CONVERGENCE[4], CONVERGENCE[8]], RESUME[:1], [])


@dataclass(frozen=True)
class Scale:
    """How much is done: a GPU's, or what shows on a CPU in seconds that everything runs."""

    sizes: dict[str, dict[str, int]]
    context: int
    horizon: int
    patch: int
    batch: int
    batch_t5: int  # a token for each observation, where the others have one for a patch
    series: int  # forecast at once
    series_t5: int
    round_seconds: float
    rounds: int
    convergence_steps: int
    resume_steps: int
    matrix: int


FULL = Scale(SIZES, 512, 64, 16, 256, 32, 4096, 128, 2.5, 2, 300, 20, 8192)
SMALL = Scale(SMOKE, 32, 8, 8, 4, 4, 8, 4, 0.0, 1, 4, 4, 64)


def config_of(case: Case, scale: Scale, *, steps: int = 10, **training: Any) -> Any:
    """Return the configuration of one case."""
    from chronos_training.config import TrainingConfig

    t5 = case.family == "chronos_t5"
    how = {
        "steps": steps, "batch_size": scale.batch_t5 if t5 else scale.batch, "warmup_steps": min(2, steps - 1),
        "learning_rate": 1e-4, "log_every_steps": 100, "checkpoint_every_steps": 1_000_000, "cpu_threads": 1,
        "precision": "fp32" if case.precision == "tf32" else case.precision, **training,
    }  # fmt: skip
    model = {
        "family": case.family,
        "context_length": scale.context,
        "patch_size": scale.patch,
        **scale.sizes[case.size],
    }
    return TrainingConfig.model_validate(
        {
            "dataset": {"name": "panel"},
            "forecast": {"prediction_length": scale.horizon},
            "model": model | ({"samples": 20} if t5 else {}),
            "training": how,
            "evaluation": {"windows": 1},
        }
    )


def panel_of(scale: Scale, series: int = 200) -> Any:
    """Return series with a weekly season, from a seed."""
    import numpy as np

    length = 4 * (scale.context + scale.horizon)
    random = np.random.default_rng(0)
    values = 100 + 10 * np.sin(np.arange(length) * 2 * np.pi / 7) + random.normal(size=(series, length))
    return panel_from(values)


def panel_from(values: Any) -> Any:
    """Return a panel of daily series of one length, shape (series, observations)."""
    import numpy as np

    from chronos_training.data.panel import Panel

    series, length = values.shape
    return Panel(
        name="panel", freq="D", item_ids=[f"s{i}" for i in range(series)],
        starts=np.full(series, "2000-01-01", dtype="datetime64[us]"), offsets=np.arange(series) * length,
        lengths=np.full(series, length), columns={"target": np.ascontiguousarray(values, dtype=np.float64).ravel()},
        targets=("target",), past=(), known=(), manifest={},
    )  # fmt: skip


def real_panel(scale: Scale) -> tuple[Any, str]:
    """Return the carried real panel, else the made one; and what it is called."""
    import numpy as np

    carried = Path(os.environ.get("CHRONOS_BENCH_PANEL", ""))
    if carried.is_file():
        return panel_from(np.load(carried)["values"]), "Birthdays: 51 daily series"
    series = min(51, scale.series)
    return panel_of(scale, series), f"{series} series with a weekly season, made from a seed"


def model_of(config: Any, device: str) -> Any:
    """Return the model of a configuration, from its seed."""
    from chronos_training.families import family
    from chronos_training.families.weights import make_model

    return make_model(family(config.model.family), config, None).to(device)
