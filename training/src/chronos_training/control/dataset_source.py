"""From a source to the bucket: what module `training_dataset` does."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from chronos_training.control.dataset import publish_dataset
from chronos_training.control.publishing import tell_missing_bucket
from chronos_training.control.settings import resolve_settings
from chronos_training.core import aws
from chronos_training.core.errors import ConfigurationError

NAME = re.compile(r"^[a-z0-9][a-z0-9._-]{0,62}$")  # as in the configuration's dataset.name


def prepare_and_publish(
    *,
    env: str,
    region: str,
    bucket: str,
    name: str,
    source: str,
    check_mode: bool,
    say: Callable[[str], None],
    targets: Sequence[str] = ("target",),
    rules: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Prepare the dataset `name` from `source` in a temporary folder and publish it; see `publish_dataset`.

    `targets` and `rules` go to `prepare`. An empty `bucket` is looked up in the environment's parameters.
    Raises ConfigurationError, DataError, TrainingError.
    """
    if not NAME.match(name):
        raise ConfigurationError(
            f"The dataset's name {name!r} is not allowed: lower-case letters, digits, '.', '_' and '-', at most 63, "
            "beginning with a letter or digit."
        )
    from chronos_training.data.prepare import prepare  # pandas: half a second that a bad name need not cost
    from chronos_training.data.rules import Rules

    with tempfile.TemporaryDirectory(prefix="chronos-dataset-") as folder:
        manifest = prepare(source, name, Path(folder), targets=targets, rules=Rules.from_mapping(rules or {}))
        say(f"{name}: {manifest['items']} series, {manifest['rows']:,} rows, frequency {manifest['freq']}")
        for note in manifest["notes"]:
            say(f"{name}: {note}")
        target = bucket or resolve_settings(env, region=region or None).bucket
        s3 = aws.client("s3", region=region or None)
        if check_mode:
            tell_missing_bucket(s3, target, say)
        result = publish_dataset(s3, target, Path(folder), check_mode=check_mode)
    if result["changed"]:
        done = "would be uploaded" if check_mode else "uploaded"
        say(f"{name}: {result['uploaded']} of {result['files']} files {done} to {result['url']}")
    else:
        say(f"{name}: already published, digest {result['digest'][:12]}")
    return result
