"""Every bad configuration is refused with its file, its key, what is allowed, and the nearest known name."""

from __future__ import annotations

from pathlib import Path

import pytest

from chronos_training.config import load_config, repository_config
from chronos_training.core.errors import ConfigurationError

AUTO = "model: {family: autogluon}\n"
# (what the user wrote, the key in the message, what the message says is allowed or meant)
CASES = [
    ("traning: {steps: 3}", "traning", "Did you mean 'training'?"),
    ("training: {stepz: 3}", "training.stepz", "Did you mean 'training.steps'?"),
    ("training: {lr: 0.1}", "training.lr", "Known keys here: steps, batch_size"),
    ("model: {learning_rate: 0.1}", "model.learning_rate", "Did you mean 'training.learning_rate'?"),
    ("prediction_length: 7", "prediction_length", "Did you mean 'forecast.prediction_length'?"),
    ("Name: x", "Name", "Did you mean 'name'?"),
    (
        "forecast: {prediction_length: 0}",
        "forecast.prediction_length",
        "0 is not allowed: must be a whole number from 1",
    ),
    ("forecast: {prediction_length: -3}", "forecast.prediction_length", "-3 is not allowed"),
    ("forecast: {prediction_length: 7.5}", "forecast.prediction_length", "7.5 is not allowed: must be a whole number"),
    ("forecast: {prediction_length: '7'}", "forecast.prediction_length", '"7" is not allowed: must be a whole number'),
    (
        "forecast: {prediction_length: true}",
        "forecast.prediction_length",
        "true is not allowed: must be a whole number",
    ),
    ("forecast: {prediction_length: null}", "forecast.prediction_length", "null is not allowed"),
    ("forecast: {quantile_levels: [0.5, 0.1]}", "forecast.quantile_levels", "strictly increasing"),
    ("forecast: {quantile_levels: [0.1, 0.1]}", "forecast.quantile_levels", "strictly increasing"),
    ("forecast: {quantile_levels: [0.0, 0.5]}", "forecast.quantile_levels[0]", "greater than 0 and less than 1"),
    ("forecast: {quantile_levels: [0.5, 1]}", "forecast.quantile_levels[1]", "greater than 0 and less than 1"),
    ("forecast: {quantile_levels: []}", "forecast.quantile_levels", "list of numbers"),
    ("forecast: {quantile_levels: 0.5}", "forecast.quantile_levels", "list of numbers"),
    ("forecast: {season_length: 0}", "forecast.season_length", "must be auto or a whole number from 1 to 10,000: no"),
    ("forecast: {season_length: weekly}", "forecast.season_length", "must be auto or a whole number from 1 to 10,000."),
    ("model: {family: chronos-2}", "model.family", "Did you mean 'chronos2'?"),
    ("model: {family: arima}", "model.family", "must be one of: chronos2"),
    ("model: {context_length: 100}", "model.context_length", "multiple of patch_size (14), for example 98 or 112"),
    ("model: {patch_size: 5}", "model.context_length", "multiple of patch_size (5), for example 375 or 380"),
    ("model: {patch_size: 0}", "model.patch_size", "a whole number from 1 to 512"),
    ("model: {d_kv: 7}", "model.d_kv", "a multiple of 2"),
    ("model: {dropout_rate: 1.0}", "model.dropout_rate", "of at least 0 and less than 1"),
    ("model: {initialization: zero}", "model.initialization", "must be one of: random, pretrained"),
    ("model: {initialization: pretrained}", "model.base", "must name the published model to start from"),
    ("model: {base: tiny}", "model.base", "applies to initialization pretrained only"),
    (
        "training: {learning_rate: 0}",
        "training.learning_rate",
        "of at least 1e-09 and at most 1: each step moves a weight",
    ),
    (
        "training: {learning_rate: 1000}",
        "training.learning_rate",
        "at most 1: each step moves a weight by about this much",
    ),
    ("training: {learning_rate: .nan}", "training.learning_rate", "a number of at least 1e-09"),
    ("training: {learning_rate: yes}", "training.learning_rate", '"yes" is not allowed: must be a number'),
    # Of YAML 1.1, which PyYAML speaks, and not of 1.2.
    ("training: {steps: 12:30:45}", "training.steps", '"12:30:45" is not allowed: must be a whole number'),
    ("training: {steps: 1_000}", "training.steps", '"1_000" is not allowed: must be a whole number'),
    ("training: {steps: 0b11}", "training.steps", '"0b11" is not allowed: must be a whole number'),
    ("training: {steps: 1e3}", "training.steps", "1000.0 is not allowed: must be a whole number"),
    ("training: {learning_rate: 1:30.5}", "training.learning_rate", '"1:30.5" is not allowed: must be a number'),
    (f"{AUTO}autogluon: {{ensemble: on}}", "autogluon.ensemble", '"on" is not allowed: must be true or false'),
    ("training: {learning_rate: fast}", "training.learning_rate", '"fast" is not allowed: must be a number'),
    ("training: {steps: 10}", "training.warmup_steps", "fewer than steps (10)"),
    ("training: {lr_scheduler: cosin}", "training.lr_scheduler", "Did you mean 'cosine'?"),
    ("training: {seed: -1}", "training.seed", "a whole number from 0"),
    ("training: {batch_size: [1]}", "training.batch_size", "[1] is not allowed: must be a whole number"),
    ("training: 5", "training", "must be a section with keys steps, batch_size"),
    ("training: []", "training", "must be a section"),
    ("evaluation: {windows: 0}", "evaluation.windows", "a whole number from 1 to 1,000"),
    ("run: {max_runtime_hours: 0}", "run.max_runtime_hours", "of at least 0.01 and at most 12"),
    ("run: {max_runtime_hours: 0.0001}", "run.max_runtime_hours", "starting, downloading and storing take minutes"),
    ("run: {max_runtime_hours: 13}", "run.max_runtime_hours", "of at least 0.01 and at most 12"),
    (
        "training: {method: lora}",
        "training.method",
        "random weights (model.initialization) are useless without training",
    ),
    ("run: {max_runtime_hour: 3}", "run.max_runtime_hour", "Did you mean 'run.max_runtime_hours'?"),
    ("dataset: {name: My Data}", "dataset.name", "lower-case letters"),
    ("dataset: {name: ../x}", "dataset.name", "lower-case letters"),
    ("dataset: {targets: ['']}", "dataset.targets[0]", "a list of strings"),
    ("dataset: {targets: []}", "dataset.targets", "a list of strings"),
    ("dataset: {target: x}", "dataset.target", "Did you mean 'dataset.targets'?"),
    ("dataset: {targets: [a, b, a]}", "dataset.targets", "'a' is in targets already"),
    ("dataset: {known_covariates: [target]}", "dataset.known_covariates", "'target' is in targets already"),
    ("dataset: {short_series: dropp}", "dataset.short_series", "Did you mean 'drop'?"),
    (
        "model: {family: chronos_bolt}\ndataset: {targets: [a, b]}",
        "dataset.targets",
        "family chronos_bolt forecasts one column",
    ),
    (
        "model: {family: chronos_t5}\ndataset: {known_covariates: [a]}",
        "dataset.known_covariates",
        "does not support covariates",
    ),
    ("model: {family: chronos3}", "model.family", "Did you mean 'chronos2'?"),
    ("model: {initialization: pretrained}", "model.base", "must name the published model to start from"),
    ("model: {base_run: 20260101-000000}", "model.base_run", "applies to initialization pretrained only"),
    ("model: {base_run: yesterday}", "model.base_run", "is not allowed"),
    ("model: {min_context: 400}", "model.min_context", "at most context_length (378)"),
    ("model: {low_limit: 15}", "model.low_limit", "must be less than high_limit (15.0)"),
    ("training: {batch_size: 9, gradient_accumulation_steps: 2}", "training.batch_size", "must be a multiple of"),
    ("run: {processes: 3}", "training.batch_size", "must be a multiple of"),
    ("run: {instances: 3}", "training.batch_size", "must be a multiple of run.instances x run.processes"),
    ("run: {instances: 17}", "run.instances", "from 1 to 16"),
    ("training: {early_stopping_patience: 2}", "training.validation_windows", "1 or more for early_stopping"),
    ("training: {synthetic_share: 0.6, mixup_share: 0.5}", "training.mixup_share", "together must be at most 1"),
    ("training: {method: lorra}", "training.method", "Did you mean 'lora'?"),
    ("training: {precision: fp8}", "training.precision", "one of: auto, fp32, fp16, bf16"),
    (
        "evaluation: {baselines: [auto_arima]}",
        "evaluation.baselines[0]",
        "a list of: naive, auto_ets, auto_theta, croston, zero_shot",
    ),
    ("evaluation: {combine: [model]}", "evaluation.combine", "at least two forecasters"),
    (
        "evaluation: {combine: [model, auto_ets], baselines: []}",
        "evaluation.combine",
        "'auto_ets' is not in evaluation",
    ),
    ("evaluation: {publish_if: sometimes}", "evaluation.publish_if", "one of: always"),
    ("autogluon: {presets: best_quality}", "autogluon.presets", "model.family autogluon, but model.family is chronos2"),
    (f"{AUTO}autogluon: {{presets: best_qualty}}", "autogluon.presets", "Did you mean 'best_quality'?"),
    (f"{AUTO}autogluon: {{preset: best_quality}}", "autogluon.preset", "Did you mean 'autogluon.presets'?"),
    (f"{AUTO}autogluon: {{models: 5}}", "autogluon.models", "must be a list of AutoGluon's model names"),
    (f"{AUTO}autogluon: {{models: []}}", "autogluon.models", "list a model, or leave it empty"),
    (f"{AUTO}autogluon: {{models: [SeasonalNaiv]}}", "autogluon.models", "did you mean 'SeasonalNaive'?"),
    (f"{AUTO}autogluon: {{models: [ETS, ETS]}}", "autogluon.models", "a model is listed twice"),
    (f"{AUTO}autogluon: {{models: {{ETS: 5}}}}", "autogluon.models", "the hyperparameters of ETS must be a section"),
    (f"{AUTO}autogluon: {{models: [Chronos2]}}", "autogluon.models", "is added through model.base or model.base_run"),
    (
        f"{AUTO}autogluon: {{models: [Toto]}}",
        "autogluon.models",
        "downloads its weights, and instances cannot reach the hub",
    ),
    (f"{AUTO}autogluon: {{ensemble: 1}}", "autogluon.ensemble", "must be true or false"),
    (f"{AUTO}autogluon: {{chronos: [tuned]}}", "autogluon.chronos[0]", "a list of: zero_shot, fine_tuned"),
    (f"{AUTO}autogluon: {{chronos: []}}", "autogluon.chronos", "list zero_shot, fine_tuned or both"),
    (f"{AUTO}autogluon: {{time_limit_minutes: 0}}", "autogluon.time_limit_minutes", "greater than 0 and at most 720"),
    (f"{AUTO}autogluon: {{time_limit_minutes: 0.006}}", "autogluon.time_limit_minutes", "must be at least 0.1"),
    (f"{AUTO}autogluon: {{eval_metric: WQLL}}", "autogluon.eval_metric", "must be one of: WQL, SQL"),
    (f"{AUTO}training: {{steps: 10, warmup_steps: 1}}", "training.steps", "family autogluon does not use it"),
    (f"{AUTO}training: {{method: lora}}", "training.method", "family autogluon does not use it"),
    (f"{AUTO}evaluation: {{batch_size: 64}}", "evaluation.batch_size", "family autogluon does not use it"),
    (f"{AUTO}run: {{processes: 2}}", "run.processes", "family autogluon does not use it"),
    (f"{AUTO}dataset: {{targets: [a, b]}}", "dataset.targets", "family autogluon forecasts one column"),
    ("model: {family: autogluon, context_length: 700}", "model.context_length", "family autogluon does not use it"),
    (
        "model: {family: autogluon, initialization: pretrained}",
        "model.base",
        "must name the published model to start from",
    ),
    ("name: 5", "name", "5 is not allowed: must be text"),
    ("schema_version: 2", "schema_version", "must be one of: 1"),
]


@pytest.mark.parametrize(("text", "key", "says"), CASES, ids=[case[0] for case in CASES])
def test_refused_with_file_key_and_what_is_allowed(tmp_path: Path, text: str, key: str, says: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load_config([repository_config("birthdays_tiny_cpu"), file])
    message = str(caught.value)
    # A rule over two keys names the key to change, which may be the repository's.
    assert f"{key}: " in message
    assert str(file) in message or str(repository_config("birthdays_tiny_cpu")) in message
    assert says in message
    assert "pydantic" not in message and "\n" not in message


UNREADABLE = [
    ("c.yaml", "model:\n  family: [chronos2\n", "line 3, column 1: not valid YAML"),
    ("c.yaml", "a: b: c", "line 1, column 5: not valid YAML"),
    ("c.yaml", "model:\n\tfamily: x", "line 2, column 1: not valid YAML"),
    ("c.yaml", "name: a\nrun: {}\nname: b\n", "line 3: key 'name' is given twice (first on line 1)"),
    ("c.yaml", "- 1\n- 2\n", "must be a mapping of keys to values, but is a list"),
    ("c.yaml", "just text", "must be a mapping of keys to values, but is a text"),
    ("c.yaml", "1: x", "line 1: a key must be a string"),
    ("c.yaml", "name: &a x\ndescription: *a\n", "line 2: YAML aliases"),
    ("c.yaml", "name: !!python/object:os.system x", "tags (python/object:os.system) are not allowed"),
    ("c.yaml", "training:\n  steps: !!int 12:30:45", "line 2: not valid YAML here: tags (int) are not allowed"),
    ("c.yaml", "training: {steps: 090}", "Write 90."),
    ("c.yaml", b"name: \xff\xfe", "not UTF-8 text"),
    ("c.yaml", "[" * 5000, "not"),
    ("c.json", '{"name": "a",}', "not valid JSON"),
    ("c.json", '{"name": "a", "name": "b"}', "key 'name' is given twice"),
    ("c.json", '{"training": {"learning_rate": NaN}}', "NaN is not allowed as a number"),
    ("c.json", "", "line 1, column 1: not valid JSON"),
    ("c.toml", "name = 'x'", "a configuration must be a .yaml, .yml or .json file"),
]


@pytest.mark.parametrize(("name", "content", "says"), UNREADABLE, ids=[str(case[1])[:30] for case in UNREADABLE])
def test_unreadable_file_names_file_and_place(tmp_path: Path, name: str, content: str | bytes, says: str) -> None:
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigurationError) as caught:
        load_config([file])
    assert str(file) in str(caught.value)
    assert says in str(caught.value)


def test_a_number_that_programs_read_differently(tmp_path: Path) -> None:
    file = tmp_path / "octal.yaml"
    file.write_text("training:\n  steps: 0100\n")
    with pytest.raises(ConfigurationError, match=r"line 2: 0100 begins with a zero: .* Write 100, or 64 if that"):
        load_config([file])


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such file"):
        load_config([tmp_path / "absent.yaml"])
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_config([tmp_path / "folder.yaml"])


def test_all_problems_at_once(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("forecast: {prediction_length: 0}\nmodel: {family: x, d_modle: 3}\nrun: 4\n")
    with pytest.raises(ConfigurationError) as caught:
        load_config([file])
    message = str(caught.value)
    assert message.startswith("4 problems in the configuration:")
    for key in ("forecast.prediction_length", "model.family", "model.d_modle", "run"):
        assert f"  - {file}: {key}: " in message


def test_unknown_repository_configuration_names_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="Did you mean 'birthdays_tiny_cpu'"):
        repository_config("birthday_tiny_cpu")
