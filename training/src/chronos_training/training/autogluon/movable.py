"""Makes a predictor's folder whole: weights inside, no path of this machine, and the fine-tuned Chronos beside it.

AutoGluon stores of a Chronos model that is used as it is, and of one with low-rank additions, only the path of the weights.
"""

from __future__ import annotations

import pickletools
import shutil
from pathlib import Path
from typing import Any

from autogluon.timeseries import TimeSeriesPredictor
from autogluon.timeseries.models.chronos import Chronos2Model, ChronosModel

_TEXT = {"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"}


def take_weights_in(predictor: TimeSeriesPredictor, work: Path) -> None:
    """Put whole weights where each Chronos model of the predictor looks first. `work` is a folder for copies."""
    for name in predictor.model_names():
        model = inner(predictor, name)
        if not isinstance(model, (Chronos2Model, ChronosModel)):
            continue
        whole, place = work / "whole", Path(model.path) / model.fine_tuned_ckpt_name
        shutil.rmtree(whole, ignore_errors=True)
        model.export_model(whole)  # additions are merged
        shutil.rmtree(place, ignore_errors=True)
        shutil.move(whole, place)
        _tidy(Path(predictor.path) / "models" / name, place.parent)
        if isinstance(model, Chronos2Model):
            model._is_fine_tuned = True  # the only way to make it look there; ChronosModel does by itself
        model.save()


def _tidy(folder: Path, newest: Path) -> None:
    """Remove what a fine-tuning left: its checkpoints with their optimizer, and the weights of older validation windows."""
    for left in [*newest.glob("checkpoint-*"), *folder.glob("W*")]:
        if left.resolve() != newest.resolve():
            shutil.rmtree(left)


def export_best_tuned(predictor: TimeSeriesPredictor, folder: Path) -> str | None:
    """Copy the best fine-tuned Chronos model to `folder`; return its name, or None when none was fine-tuned."""
    board = predictor.leaderboard(display=False)
    tuned = [
        name
        for name in board.sort_values("score_val", ascending=False)["model"]
        if (model := inner(predictor, name)) is not None
        and isinstance(model, (Chronos2Model, ChronosModel))
        and model.get_hyperparameter("fine_tune")
    ]
    if not tuned:
        return None
    model = inner(predictor, tuned[0])
    shutil.copytree(Path(model.path) / model.fine_tuned_ckpt_name, folder)
    return str(tuned[0])


def inner(predictor: TimeSeriesPredictor, name: str) -> Any:
    """Return the model that forecasts: the one of the newest validation window, where AutoGluon wraps it."""
    model = predictor._trainer.load_model(name)
    return getattr(model, "most_recent_model", None) or model


def strip_path(folder: Path) -> None:
    """Replace the absolute path of `folder` in its pickles by a dot. Loading sets every path again."""
    path = str(folder.resolve())
    for file in folder.rglob("*.pkl"):
        content = file.read_bytes()
        if path.encode() not in content:
            continue
        partial = file.with_suffix(".partial")
        partial.write_bytes(_replaced(content, path, "."))
        partial.replace(file)


def _replaced(content: bytes, old: str, new: str) -> bytes:
    """Return a pickle with `old` replaced in each of its texts. Frames are left out: they only help reading ahead."""
    ops = [(op, argument, at) for op, argument, at in pickletools.genops(content)]
    ends = [at for _, _, at in ops[1:]] + [len(content)]
    out = []
    for (op, argument, at), end in zip(ops, ends, strict=True):
        if op.name == "FRAME":
            continue
        if op.name in _TEXT and isinstance(argument, str) and old in argument:
            text = argument.replace(old, new).encode("utf-8", "surrogatepass")
            out.append(b"X" + len(text).to_bytes(4, "little") + text)  # BINUNICODE
        else:
            out.append(content[at:end])
    return b"".join(out)
