"""From a source to the bucket: what module `training_dataset` does."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from chronos_training.control.options.settings import resolve_settings
from chronos_training.control.publish.dataset import publish_dataset
from chronos_training.control.publish.publishing import tell_missing_bucket
from chronos_training.core import aws, commands
from chronos_training.core.errors import ConfigurationError, DataError

NAME = re.compile(r"^[a-z0-9][a-z0-9._-]{0,62}$")  # as in the configuration's dataset.name


def prepare_and_publish(
    *,
    env: str,
    region: str | None,
    bucket: str,
    name: str,
    source: str,
    check_mode: bool,
    emit: Callable[[str], None],
    targets: Sequence[str] = ("target",),
    rules: Mapping[str, Any] | None = None,
    form: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Prepare the dataset `name` from `source` in a temporary folder and publish it; see `publish_dataset`.

    `targets`, `rules` and `form` go to `prepare`. An empty `bucket` is looked up in the environment's parameters.
    Raises ConfigurationError, DataError, TrainingError.
    """
    if not NAME.match(name):
        raise ConfigurationError(
            f"The dataset's name {name!r} is not allowed: lower-case letters, digits, '.', '_' and '-', at most 63, "
            "beginning with a letter or digit."
        )
    from chronos_training.data.formats import Format
    from chronos_training.data.prepare import prepare  # pandas: half a second that a bad name need not cost
    from chronos_training.data.rules import Rules

    chosen, written = Rules.from_mapping(rules or {}), Format.from_mapping(form or {})
    with tempfile.TemporaryDirectory(prefix="chronos-dataset-") as folder:
        try:
            manifest = prepare(source, name, Path(folder), targets=targets, rules=chosen, form=written)
        except DataError as error:
            raise _as_variables(error, env, source, name, rules or {}, form or {}) from None
        emit(f"{name}: {manifest['items']} series, {manifest['rows']:,} rows, frequency {manifest['freq']}")
        for note in manifest["notes"]:
            emit(f"{name}: {note}")
        target = bucket or resolve_settings(env, region=region or None).bucket
        s3 = aws.client("s3", region=region or None)
        if check_mode:
            tell_missing_bucket(s3, target, emit)
        result = publish_dataset(s3, target, Path(folder), check_mode=check_mode)
    if result["changed"]:
        done = "would be uploaded" if check_mode else "uploaded"
        emit(f"{name}: {result['uploaded']} of {result['files']} files {done} to {result['url']}")
    else:
        emit(f"{name}: already published, digest {result['digest'][:12]}")
    return result


def _as_variables(
    error: DataError, env: str, source: str, name: str, rules: Mapping[str, Any], form: Mapping[str, Any]
) -> DataError:
    """Return a refusal with the playbook's command that takes the file as it is, where the options for that are known."""
    offer = error.facts.get("options")
    if not offer:
        return error
    from chronos_training.data.formats import MEANING as FORMAT
    from chronos_training.data.formats import Format

    columns = dict(Format(columns=offer["columns"]).columns) if "columns" in offer else {}
    formats = {**form, **{key: value for key, value in offer.items() if key in FORMAT and key != "columns"}}
    formats |= {"columns": {**form.get("columns", {}), **columns}} if columns else {}
    changed = {**rules, **{key: value for key, value in offer.items() if key not in FORMAT}}
    variables: dict[str, Any] = {"training_dataset_name": name, "training_dataset_source": source}
    variables |= {"training_dataset_columns": formats.pop("columns")} if formats.get("columns") else {}
    variables |= {"training_dataset_format": formats} if formats else {}
    variables |= {"training_dataset_rules": changed} if changed else {}
    return DataError(error.message, hint=f"{error.hint} Here: {commands.playbook(env, 'publish_dataset', **variables)}")
