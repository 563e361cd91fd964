"""docs/bench-gpu.md from what was measured. What was not measured says so, in its own cell."""

from __future__ import annotations

import statistics
from typing import Any

from . import cases
from .cases import Case

Json = dict[str, Any]
NOT = "not measured"
TRAINING_GOAL, FORECASTING_GOAL = 1.5, 1.2


def page(results: Json | None) -> str:
    """Return the page; None: nothing has been measured on a GPU yet."""
    found = results or {}
    return "\n".join(
        [
            "# Speed on a GPU",
            "",
            *_head(results),
            *_goals(found),
            *_training(found),
            *_forecasting(found),
            *_convergence(found),
            *_resume(found),
            *_two(found),
            *_preflight(found),
            *_compiled(found),
            *_waits(found),
        ]
    )


def _head(results: Json | None) -> list[str]:
    if results is None:
        return [
            "**No figure of this page has been measured yet: nobody has run `make bench-gpu` on a GPU.** The command was run on a",
            "CPU only, with models of a few thousand parameters, to see that each part works (`tests/training/test_bench_gpu.py`).",
            "Written by `make bench-gpu ARGS=--write` on a machine without a GPU.",
            "",
            "[How to run it](operations.md#measure-on-a-gpu): once prepared, it needs a GPU, Python with torch, and eight minutes.",
            "",
        ]
    about = results["device"]
    return [
        f"Written by `make bench-gpu ARGS=--write` on {results['date']}, in {results['seconds']:.0f} s: {about['name']} "
        f"(compute capability {about['capability']}, {about['memory_gb']:.0f} GB), driver {about['driver']}, torch {about['torch']}, "
        f"transformers {about['transformers']}, chronos-forecasting {about['chronos']}, Python {about['python']}.",
        "",
        "Ours and upstream's take turns in one process with the same model, data, batch and precision; the time is that of the steps",
        "after the first four, with the GPU's work done at both ends. Medians. All raw numbers: bench-gpu.json.",
        "",
    ]


def _cell(found: Json, part: str, case: Case) -> Json | str:
    """Return what was measured, or why not."""
    entry = found.get(part, {}).get(case.name, NOT)
    return entry if isinstance(entry, dict) else str(entry)


def _goals(found: Json) -> list[str]:
    lines = []
    for part, goal, rows in (
        ("training", TRAINING_GOAL, cases.TRAINING),
        ("forecasting", FORECASTING_GOAL, cases.FORECASTING),
    ):
        ratios = [(entry["ratio"], case) for case in rows if isinstance(entry := _cell(found, part, case), dict)]
        if not ratios:
            lines.append(f"- {part}, at least {goal} × upstream's: {NOT}")
            continue
        least, case = min(ratios, key=lambda one: one[0])
        met = sum(ratio >= goal for ratio, _ in ratios)
        lines.append(
            f"- {part}, at least {goal} × upstream's: met in {met} of {len(ratios)}; least {least:.2f} × ({case.name}), "
            f"median {statistics.median(ratio for ratio, _ in ratios):.2f} ×"
        )
    return ["## Goals", "", *lines, ""]


def _table(heads: list[str], rows: list[list[str]]) -> list[str]:
    return [
        "| " + " | ".join(heads) + " |",
        "|" + "---|" * len(heads),
        *("| " + " | ".join(row) + " |" for row in rows),
        "",
    ]


def _rows(found: Json, part: str, rows: list[Case], width: int, write: Any) -> list[list[str]]:
    """Return a row for each case: its cells, or the reason in each of them."""
    out = []
    for case in rows:
        entry = _cell(found, part, case)
        out.append([case.name, *(write(entry) if isinstance(entry, dict) else [entry] * width)])
    return out


def _number(values: list[float]) -> str:
    return f"{statistics.median(values):,.0f}"


def _gb(values: Json, who: str) -> str:
    return NOT if values.get(who) is None else f"{values[who]:.2f}"


def _training(found: Json) -> list[str]:
    def write(entry: Json) -> list[str]:
        rates, memory = entry["windows_per_second"], entry["memory_gb"]
        share = entry["share_of_peak"]
        return [
            _number(rates["ours"]), _number(rates["upstream"]), f"{entry['ratio']:.2f} ×",
            NOT if share is None else f"{100 * share:.0f} %", f"{_gb(memory, 'ours')} / {_gb(memory, 'upstream')}",
        ]  # fmt: skip

    full = cases.FULL
    return [
        "## Training",
        "",
        f"Windows per second of {full.context} + {full.horizon} observations; batches of {full.batch}, for T5 of {full.batch_t5}. "
        "Upstream's: `Chronos2Pipeline.fit`; Bolt and T5",
        "have no fit, theirs is the Trainer of transformers as upstream's script for T5 sets it up, over the same windows. Share of the",
        "peak: operations of upstream's forward and backward for one window, as torch's FlopCounterMode counts them, times our windows",
        f"per second, over the operations per second of a product of two matrices of {full.matrix} × {full.matrix} in the same precision, "
        "measured here.",
        "What our loop leaves out counts as done.",
        "",
        *_table(
            ["model", "ours", "upstream's", "ratio", "share of the peak", "memory, GB, ours / upstream's"],
            _rows(found, "training", cases.TRAINING, 5, write),
        ),
    ]


def _forecasting(found: Json) -> list[str]:
    def write(entry: Json) -> list[str]:
        rates = entry["series_per_second"]
        off = entry["difference"]
        return [
            _number(rates["ours"]), _number(rates["upstream"]), f"{entry['ratio']:.2f} ×",
            "drawn anew" if off is None else f"{off:.1e}",
            f"{_gb(entry['memory_gb'], 'ours')} / {_gb(entry['memory_gb'], 'upstream')}",
        ]  # fmt: skip

    return [
        "## Forecasting",
        "",
        "Series per second, from histories in memory to quantiles in memory, in batches of 256; T5 with 20 sample paths. Upstream's: its",
        "pipelines' own `predict_quantiles`. Difference: the largest, over the mean forecast.",
        "",
        *_table(
            ["model", "ours", "upstream's", "ratio", "difference", "memory, GB, ours / upstream's"],
            _rows(found, "forecasting", cases.FORECASTING, 5, write),
        ),
    ]


def _convergence(found: Json) -> list[str]:
    def write(entry: Json) -> list[str]:
        return [f"{entry['steps']}", f"{entry['loss']:.4f}", f"{entry['wql']:.4f}"]

    return [
        "## Learning in few digits",
        "",
        "The same seed, steps and data in each precision: loss at the end and WQL of held-out windows, which are forecast in fp32.",
        "",
        *_table(["model", "steps", "loss", "WQL"], _rows(found, "convergence", cases.CONVERGENCE, 3, write)),
    ]


def _resume(found: Json) -> list[str]:
    def write(entry: Json) -> list[str]:
        again = entry.get("deterministic")
        with_them = NOT if again is None else again if isinstance(again, str) else _yes(again["equal"])
        return [_yes(entry["same_run_twice"]), _yes(entry["equal"]), with_them]

    return [
        "## Exact resume",
        "",
        "With dropout: whether a second run from the same seed, and one that was stopped half-way and resumed, end "
        "with the same",
        "hash of all weights. With torch's deterministic algorithms (`CUBLAS_WORKSPACE_CONFIG=:4096:8`) it is tried only where it",
        "does not hold without them; our loop does not set them.",
        "",
        *_table(
            ["model", "same run twice", "stopped and resumed", "with deterministic algorithms"],
            _rows(found, "resume", cases.RESUME, 3, write),
        ),
    ]


def _yes(value: bool) -> str:
    return "equal" if value else "NOT EQUAL"


def _line(found: Json, part: str, write: Any) -> str:
    entry = found.get(part, NOT)
    return write(entry) if isinstance(entry, dict) else str(entry)


def _two(found: Json) -> list[str]:
    def write(entry: Json) -> str:
        return (
            f"same weights in both: {'yes' if entry['same_weights'] else 'NO'}; losses against one process with the whole batch: at most "
            f"{100 * entry['largest_difference']:.2f} % apart over {len(entry['one_process'])} steps"
        )

    return [
        "## Two processes on one card",
        "",
        "Each as an instance of its own, with gradients over gloo, because NCCL takes one process a GPU. NCCL itself needs two GPUs and is",
        "not tried here.",
        "",
        f"- {_line(found, 'two_processes', write)}",
        "",
    ]


def _preflight(found: Json) -> list[str]:
    def write(entry: Json) -> str:
        if not entry["passed"]:
            return f"REFUSED: {entry['said']}"
        return f"passed: {entry['gpu']}; torch {entry['torch']}, built for CUDA {entry['cuda_build']}"

    return [
        "## Preflight with the real driver",
        "",
        f"- {_line(found, 'preflight', write)}",
        "",
    ]


def _compiled(found: Json) -> list[str]:
    def write(entry: Json) -> list[str]:
        return [
            _number(entry["as it is"]), _number(entry["compiled"]), f"{entry['ratio']:.2f} ×", f"{entry['seconds_to_compile']:.0f}",
        ]  # fmt: skip

    return [
        "## Compiled",
        "",
        "Windows per second on a batch that lies on the GPU: forward, backward and optimizer step of what our loop computes, as it is and",
        "through `torch.compile`. Our loop does not compile.",
        "",
        *_table(
            ["model", "as it is", "compiled", "ratio", "seconds to compile"],
            _rows(found, "compiled", cases.COMPILED, 4, write),
        ),
    ]


def _waits(found: Json) -> list[str]:
    def write(entry: Json) -> list[str]:
        waits = entry["waits_per_step"]
        return [NOT if waits[who] is None else f"{waits[who]:.1f}" for who in ("ours", "upstream")]

    return [
        "## Waiting for the GPU",
        "",
        "How often in a step of a training of ten steps the CPU waits for the GPU, as torch's sync debug mode tells, begin and end included.",
        "",
        *_table(["model", "ours", "upstream's"], _rows(found, "training", cases.TRAINING, 2, write))[:-1],
        "",
    ]
