"""`forecast` and `evaluate` on a model's folder: one way to forecast, and nothing is made up, left out or seen before in silence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chronos_training.cli.main import main
from chronos_training.config import TrainingConfig
from chronos_training.data.ahead import Columns, with_room
from chronos_training.data.panel import Panel
from chronos_training.data.summary import examine
from chronos_training.evaluation.combine import Combination
from chronos_training.evaluation.forecasts import chunk_of
from chronos_training.evaluation.held_out import old_histories
from chronos_training.evaluation.model_forecasts import forecast_model
from chronos_training.evaluation.recalibration import Recalibration
from chronos_training.families import family as family_of
from chronos_training.families.task import FILE, Task
from chronos_training.families.weights import make_model
from tests.training.conftest import FAMILIES, TINY, tiny

LENGTH, HORIZON = 90, 7
QUANTILES = ["q0.1", "q0.5", "q0.9"]


def rows(items: int = 3, length: int = LENGTH, **columns: Any) -> pd.DataFrame:
    """Daily series with a weekly pattern."""
    random, parts = np.random.default_rng(0), []
    for i in range(items):
        target = 50 + 10 * i + 9 * (np.arange(length) % 7) + random.normal(size=length)
        frame = {"item_id": f"s{i}", "timestamp": pd.date_range("2020-01-01", periods=length), "target": target}
        parts.append(pd.DataFrame(frame | {name: make(random, length) for name, make in columns.items()}))
    return pd.concat(parts, ignore_index=True)


def noise(random: np.random.Generator, length: int) -> np.ndarray:
    return random.normal(20, 5, size=length)


def flags(random: np.random.Generator, length: int) -> np.ndarray:
    return random.integers(0, 2, size=length).astype(float)


def written(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_csv(path, index=False)
    return path


def panel_of(path: Path, config: TrainingConfig) -> Panel:
    data = config.dataset
    checked, _ = examine(str(path), tuple(data.targets), None)
    columns = Columns(tuple(data.targets), tuple(data.past_covariates), tuple(data.known_covariates))
    return with_room(checked, columns, 0, 0)[0]


def stored(folder: Path, config: TrainingConfig, data: Path) -> Path:
    """A model as a training leaves it, but for what it learnt: random weights, which forecast wildly."""
    family = family_of(config.model.family)
    model = make_model(family, config, None)
    with torch.no_grad():
        for one in model.parameters():
            one.add_(torch.randn_like(one) * 0.2)
    folder.mkdir(parents=True)
    family.save(model.eval(), folder)
    Task.of(config, panel_of(data, config)).write(folder)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(rows(), tmp_path_factory.mktemp("data") / "panel.csv")


@pytest.fixture(scope="module")
def models(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    # A patch that is longer than the horizon: the model could give days that it never learnt.
    return {name: stored(folder / name, tiny(model={"family": name, "patch_size": 14}), data) for name in FAMILIES}


def forecast(model: Path, data: Path, out: Path, *more: str | Path) -> pd.DataFrame:
    assert main(["forecast", str(model), "--data", str(data), "--output", str(out), *map(str, more)]) == 0
    return pd.read_csv(out, dtype={"item_id": str}, float_precision="round_trip")


def refusal(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    capsys.readouterr()
    assert main([*map(str, words)]) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("family", FAMILIES)
def test_the_command_forecasts_what_the_evaluation_does(
    family: str, models: dict[str, Path], data: Path, tmp_path: Path
) -> None:
    """The last held-out window, from data that end where its history does. Twice the same bytes; no quantile crosses."""
    config = tiny(model={"family": family, "patch_size": 14})
    panel = panel_of(data, config)
    model = family_of(family).load(models[family], config)
    expected = forecast_model(family_of(family), model, panel, chunk_of(panel, range(3), config), config, lambda: None)
    before = written(
        pd.read_csv(data, float_precision="round_trip").groupby("item_id").head(LENGTH - HORIZON),
        tmp_path / "before.csv",
    )
    found = forecast(models[family], before, tmp_path / "one.csv")
    assert found["timestamp"].iloc[0] == "2020-03-24" and len(found) == 3 * HORIZON
    if family != "chronos_t5":  # its draws depend on the place in a batch
        np.testing.assert_allclose(
            found[QUANTILES].to_numpy().reshape(3, HORIZON, 3), expected[:, -1].swapaxes(1, 2), rtol=1e-5
        )
    assert (np.diff(found[QUANTILES]) >= 0).all()
    forecast(models[family], before, tmp_path / "two.csv")
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_longer_horizon_is_asked_for_and_said_to_be_rolled_out(
    family: str, models: dict[str, Path], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    learnt = forecast(models[family], data, tmp_path / "a.csv")
    assert learnt.groupby("item_id").size().eq(HORIZON).all() and "rolled out" not in capsys.readouterr().out
    longer = forecast(models[family], data, tmp_path / "b.csv", "--prediction-length", "17")
    assert "was trained for 7 observations" in capsys.readouterr().out
    assert longer.groupby("item_id").size().eq(17).all() and (np.diff(longer[QUANTILES]) >= 0).all()
    pd.testing.assert_frame_equal(
        longer.groupby("item_id").head(HORIZON).reset_index(drop=True), learnt, check_exact=family != "chronos_t5"
    )
    shorter = forecast(models[family], data, tmp_path / "c.csv", "--prediction-length", "3")
    pd.testing.assert_frame_equal(shorter, learnt.groupby("item_id").head(3).reset_index(drop=True))


def test_levels_that_were_not_learnt_are_refused_with_the_learnt_ones(
    models: dict[str, Path], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--data", data, "--output", tmp_path / "f.csv", "--levels", "0.01,0.5"]
    for family in ("chronos2", "chronos_bolt"):
        said = refusal(capsys, "forecast", models[family], *words)
        assert "0.01 is not among the levels" in said and "0.1, 0.2" in said and "forecast.quantile_levels" in said
    said = refusal(capsys, "forecast", models["chronos_t5"], *words)
    assert "5 sample paths" in said and "model.samples 100" in said
    assert not (tmp_path / "f.csv").exists()
    assert list(forecast(models["chronos_t5"], data, tmp_path / "t.csv", "--levels", "0.25,0.5"))[2:] == [
        "q0.25",
        "q0.5",
    ]


@pytest.fixture(scope="module")
def joint(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, pd.DataFrame]:
    """A model of two targets with a past and a known covariate, its data, and what is known a week ahead."""
    folder = tmp_path_factory.mktemp("joint")
    frame = rows(length=LENGTH + 10, second=noise, seen=noise, promo=flags)
    ends = frame.groupby("item_id").cumcount()
    data = written(frame[ends < LENGTH], folder / "data.csv")
    columns = {"targets": ["target", "second"], "past_covariates": ["seen"], "known_covariates": ["promo"]}
    return stored(folder / "model", tiny(dataset=columns), data), data, frame[ends >= LENGTH]


def test_covariates_and_all_targets_are_used(
    joint: tuple[Path, Path, pd.DataFrame], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, data, ahead = joint
    known = written(ahead[["item_id", "timestamp", "promo"]], tmp_path / "future.csv")
    said = refusal(capsys, "forecast", model, "--data", data, "--output", tmp_path / "a.csv")
    assert "needs promo for the 7 observations" in said and "'s0' at 2020-03-31" in said
    found = forecast(model, data, tmp_path / "a.csv", "--known", known)
    assert list(found.columns) == ["item_id", "timestamp", "target_name", *QUANTILES]
    assert found["timestamp"].min() == "2020-03-31" and len(found) == 3 * 2 * HORIZON
    empty = ahead.assign(target=np.nan, second=np.nan, seen=np.nan)
    with_rows = written(pd.concat([pd.read_csv(data, float_precision="round_trip"), empty]), tmp_path / "rows.csv")
    pd.testing.assert_frame_equal(forecast(model, with_rows, tmp_path / "b.csv"), found)
    other = written(ahead[["item_id", "timestamp"]].assign(promo=1 - ahead["promo"]), tmp_path / "other.csv")
    assert not forecast(model, data, tmp_path / "c.csv", "--known", other)["q0.5"].equals(found["q0.5"])
    only = forecast(model, data, tmp_path / "d.csv", "--known", known, "--target", "second")
    assert set(only["target_name"]) == {"second"}
    longer = forecast(model, data, tmp_path / "e.csv", "--known", known, "--prediction-length", "10")
    assert len(longer) == 3 * 2 * 10
    said = refusal(
        capsys,
        "forecast",
        model,
        "--data",
        data,
        "--output",
        tmp_path / "f.csv",
        "--known",
        known,
        "--prediction-length",
        "11",
    )
    assert "'s0' at 2020-04-10" in said


@pytest.mark.parametrize(
    ("drop", "more", "says"),
    [
        ("seen", [], "needs seen (past covariates)"),
        ("promo", [], "needs promo (known covariates)"),
        ("second", [], "column second is missing"),
        ("", ["--target", "third"], "forecasts target, second"),
        ("", ["--known", "absent.csv"], "absent.csv: no such file"),
        ("", ["--prediction-length", "0"], "must be 1 or more"),
    ],
)
def test_what_the_model_needs_and_never_had_is_refused_by_name(
    joint: tuple[Path, Path, pd.DataFrame], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    drop: str, more: list[str], says: str,
) -> None:  # fmt: skip
    model, data, _ = joint
    less = written(pd.read_csv(data).drop(columns=[drop] if drop else []), tmp_path / "less.csv")
    assert says in refusal(capsys, "forecast", model, "--data", less, "--output", tmp_path / "f.csv", *more)
    assert not (tmp_path / "f.csv").exists()


def test_a_column_that_is_missing_in_the_known_covariates_is_named(
    joint: tuple[Path, Path, pd.DataFrame], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, data, ahead = joint
    known = written(ahead[["item_id", "timestamp", "seen"]], tmp_path / "future.csv")
    words = ["forecast", model, "--data", data, "--output", tmp_path / "f.csv", "--known", known]
    assert "column promo is missing" in refusal(capsys, *words)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_history_of_missing_values_is_forecast_from_the_last_there_are(
    family: str, models: dict[str, Path], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Five whole weeks without a value: the forecast is that of the time before, at the same days of the week."""
    frame = pd.read_csv(data, float_precision="round_trip")
    place = frame.groupby("item_id").cumcount()
    until = forecast(models[family], written(frame[place < LENGTH - 35], tmp_path / "until.csv"), tmp_path / "a.csv")
    gap = frame.assign(target=frame["target"].where(place < LENGTH - 35))
    capsys.readouterr()
    found = forecast(models[family], written(gap, tmp_path / "gap.csv"), tmp_path / "b.csv")
    assert "3 series (s0, s1, s2) have no value in the last 28 observations" in capsys.readouterr().out
    assert found["timestamp"].min() == "2020-03-31"
    pd.testing.assert_frame_equal(found[QUANTILES], until[QUANTILES])


def test_a_stored_recalibration_is_applied(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = stored(tmp_path / "model", tiny(), data)
    before = forecast(model, data, tmp_path / "a.csv")
    Recalibration([0.1, 0.5, 0.9], [[-1.0] * HORIZON, [0.0] * HORIZON, [0.5] * HORIZON], 3, 2, 42).save(model)
    after = forecast(model, data, tmp_path / "b.csv")
    width = before["q0.9"] - before["q0.1"]
    pd.testing.assert_series_equal(after["q0.5"], before["q0.5"])
    assert (before["q0.1"] - after["q0.1"] > 0.99 * width).all() and (
        after["q0.9"] - before["q0.9"] > 0.49 * width
    ).all()
    capsys.readouterr()
    assert not forecast(model, data, tmp_path / "c.csv", "--levels", "0.2,0.5").empty
    assert (
        "Not recalibrated: the model's recalibration covers only the quantiles 0.1, 0.5, 0.9" in capsys.readouterr().out
    )


def test_the_stored_combination_is_forecast_when_asked_for(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = stored(tmp_path / "model", tiny(), data)
    assert (
        main(["forecast", str(model), "--data", str(data), "--output", str(tmp_path / "x.csv"), "--combination"]) == 2
    )
    assert "was stored without a combination" in capsys.readouterr().err and not (tmp_path / "x.csv").exists()
    alone = forecast(model, data, tmp_path / "alone.csv")[QUANTILES].to_numpy()
    parts = {}
    for name in ("seasonal_naive", "auto_ets"):
        Combination({name: 1.0}, "").save(model)
        parts[name] = forecast(model, data, tmp_path / f"{name}.csv", "--combination")[QUANTILES].to_numpy()
    weeks = pd.read_csv(data).groupby("item_id")["target"].apply(lambda one: one.to_numpy()[-HORIZON:])
    np.testing.assert_allclose(
        parts["seasonal_naive"][:, 1], np.concatenate(weeks.to_list()), atol=1.0
    )  # and the median of its errors
    assert np.abs(parts["auto_ets"] - parts["seasonal_naive"]).max() > 0.1
    Combination({"model": 0.5, "auto_ets": 0.3, "seasonal_naive": 0.2}, "Combined: as stored.").save(model)
    capsys.readouterr()
    found = forecast(model, data, tmp_path / "together.csv", "--combination")[QUANTILES].to_numpy()
    np.testing.assert_allclose(found, 0.5 * alone + 0.3 * parts["auto_ets"] + 0.2 * parts["seasonal_naive"], rtol=1e-5)
    assert "Combined: as stored." in capsys.readouterr().out
    np.testing.assert_array_equal(forecast(model, data, tmp_path / "again.csv")[QUANTILES].to_numpy(), alone)


def test_windows_that_are_forecast_from_old_values_are_counted(data: Path, tmp_path: Path) -> None:
    """Nothing in the five weeks before the last window: the context of that window is empty, and not of the one before it."""
    frame, config = pd.read_csv(data), tiny()
    place = frame.groupby("item_id").cumcount()
    gap = frame["target"].where((frame["item_id"] != "s1") | (place < LENGTH - 42) | (place >= LENGTH - HORIZON))
    panel = panel_of(written(frame.assign(target=gap), tmp_path / "gap.csv"), config)
    assert old_histories(panel, chunk_of(panel, range(3), config), config) == 2
    outage = frame["target"].where((frame["item_id"] != "s1") | (place < LENGTH - 35) | (place >= LENGTH - HORIZON))
    panel = panel_of(written(frame.assign(target=outage), tmp_path / "outage.csv"), config)
    assert old_histories(panel, chunk_of(panel, range(3), config), config) == 1


def test_no_quantile_is_below_the_minimum(data: Path, tmp_path: Path) -> None:
    model = stored(tmp_path / "model", tiny(forecast={"minimum": 75}), data)
    found = forecast(model, data, tmp_path / "f.csv")
    assert found["q0.1"].min() == 75.0


@pytest.mark.parametrize("family", ["chronos2", "chronos_bolt"])
@pytest.mark.parametrize("level", [-1e3, 1e6, 1e10])
def test_a_constant_on_the_data_is_one_on_the_forecast(
    family: str, level: float, models: dict[str, Path], data: Path, tmp_path: Path
) -> None:
    frame = pd.read_csv(data, float_precision="round_trip")
    near = forecast(models[family], data, tmp_path / "a.csv")[QUANTILES]
    moved = written(frame.assign(target=frame["target"] + level), tmp_path / "moved.csv")
    far = forecast(models[family], moved, tmp_path / "b.csv")[QUANTILES] - level
    np.testing.assert_allclose(far, near, atol=2e-3)


def test_a_model_without_a_task_is_forecast_with_and_told(
    models: dict[str, Path], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Upstream's, and those of earlier versions."""
    for name, horizon in (("chronos2", 14), ("chronos_bolt", HORIZON), ("chronos_t5", HORIZON)):
        folder = tmp_path / name
        folder.mkdir()
        for file in models[name].iterdir():
            if file.name != FILE:
                (folder / file.name).write_bytes(file.read_bytes())
        sales = written(pd.read_csv(data).rename(columns={"target": "sales"}), tmp_path / "sales.csv")
        capsys.readouterr()
        found = forecast(folder, sales, tmp_path / "f.csv", "--target", "sales")
        assert len(found) == 3 * horizon and f"The model has no {FILE}" in capsys.readouterr().out


def test_windows_that_training_saw_are_refused_or_told(
    models: dict[str, Path], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its own two held-out windows are scored; a third lies in what it learnt."""
    config, out = tmp_path / "mine.yaml", tmp_path / "scores"

    def words(windows: int, **more: Any) -> list[str | Path]:
        content = {
            **TINY,
            "model": {**TINY["model"], "patch_size": 14},
            "evaluation": {"windows": windows, "baselines": []},
        } | more
        config.write_text(yaml.safe_dump(content))
        return ["evaluate", models["chronos2"], config, "--data", data, "--output", out]

    assert main([*map(str, words(2))]) == 0
    assert "was trained up to" not in capsys.readouterr().out
    assert json.loads((out / "metrics.json").read_text())["windows_of_training"] is None
    said = refusal(capsys, *words(3))
    assert "trained up to 2020-03-16, and saw 3 of these 9 windows" in said and "--windows-of-training" in said
    assert main([*map(str, words(3)), "--windows-of-training"]) == 0
    said = capsys.readouterr().out
    assert said.index("The model was trained up to 2020-03-16") < said.index("This model")
    assert json.loads((out / "metrics.json").read_text())["windows_of_training"]["windows"] == 3
    said = refusal(capsys, *words(2, dataset={"name": "weekly", "known_covariates": ["promo"]}))
    assert "known_covariates is promo" in said
    said = refusal(capsys, *words(2, forecast={**TINY["forecast"], "prediction_length": 14}))
    assert "was trained for 7" in said


NAMES = st.lists(
    st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8),
    min_size=1,
    max_size=4,
    unique=True,
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=NAMES,
    start=st.datetimes(pd.Timestamp("1990-01-01"), pd.Timestamp("2030-01-01")).map(lambda t: t.replace(microsecond=0)),
    freq=st.sampled_from(["D", "h", "W-WED", "MS", "QE", "YS"]),
    scale=st.sampled_from([1e-6, 0.5, 1.0, 1e9]),
)
def test_ids_dates_and_scales_of_the_data_are_those_of_the_forecast(
    models: dict[str, Path], tmp_path: Path, names: list[str], start: Any, freq: str, scale: float
) -> None:
    """Parquet, in which a text is a text: each id once, times that go on where the data end, values of the same scale."""
    stamps = pd.date_range(start, periods=60 + HORIZON, freq=freq)
    base = 50 + 9.0 * (np.arange(60) % 7)
    parts = [
        pd.DataFrame({"item_id": name, "timestamp": stamps[:60], "target": (base + i) * scale})
        for i, name in enumerate(names)
    ]
    pd.concat(parts).to_parquet(tmp_path / "data.parquet", index=False)
    out = tmp_path / "f.parquet"
    assert (
        main(["forecast", str(models["chronos2"]), "--data", str(tmp_path / "data.parquet"), "--output", str(out)]) == 0
    )
    found = pd.read_parquet(out)
    assert sorted(found["item_id"].unique()) == sorted(names)
    for i, name in enumerate(names):
        part = found[found["item_id"] == name]
        assert list(part["timestamp"]) == list(stamps[60:])
        # Chronos-2 divides by the deviation of a history: what it gives scales with it.
        one = forecast_of((base + i), models["chronos2"])
        np.testing.assert_allclose(part[QUANTILES].to_numpy(), one * scale, rtol=2e-3, atol=1e-2 * scale)


def forecast_of(values: np.ndarray, folder: Path) -> np.ndarray:
    """Return (horizon, levels) after a daily series, without the command."""
    config = tiny(model={"patch_size": 14})
    panel = Panel(
        "one", "D", ("x",), np.array(["2020-01-01"], dtype="M8[us]"), np.array([0]), np.array([len(values)]),
        {"target": values}, ("target",), (), (), {},
    )  # fmt: skip
    from chronos_training.evaluation.model_forecasts import forecast_at

    family = family_of("chronos2")
    found = forecast_at(family, family.load(folder, config), panel, [(0, len(values))], config, lambda: None)
    return np.asarray(found[0, 0].T)
