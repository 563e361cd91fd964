"""Publish pretrained weights for runs to start from: `runtime/models/<name>/<digest>/`, the pointer last."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from chronos_training.base_models.pretrained import Pretrained, read_pretrained
from chronos_training.control.publish import publishing
from chronos_training.core import aws, layout
from chronos_training.core.aws_types import S3Client
from chronos_training.core.errors import ConfigurationError, TrainingError
from chronos_training.core.manifest import dataset_digest
from chronos_training.core.objects import NotOurs, read_json

NAME = re.compile(r"^[a-z0-9][a-z0-9._-]{0,62}$")  # as in the configuration's model.base
HUB = "hub:"
THREADS = 4
Emit = Callable[[str], None]


def publish_model(
    s3: S3Client, bucket: str, name: str, source: str, *, revision: str = "", check_mode: bool, emit: Emit
) -> dict[str, Any]:
    """Publish the model in `source` (a folder, or `hub:owner/name`) as `name`, unless the bucket has it.

    Returns `changed`, `diff`, `uploaded` and `model`, the pointer. Raises ConfigurationError for a name, source or model
    that will not do, before anything is uploaded, and TrainingError; the pointer is written last, so after an error the
    bucket still names what it named before.
    """
    if not NAME.match(name):
        raise ConfigurationError(
            f"The model's name {name!r} is not allowed: lower-case letters, digits, '.', '_' and '-', at most 63, "
            "beginning with a letter or digit."
        )
    if check_mode:
        publishing.tell_missing_bucket(s3, bucket, emit)
    folder, commit = _fetch(source, revision, emit)
    model = read_pretrained(folder)
    before = _current(s3, bucket, name, check_mode)
    after = _pointer(name, source, commit, model)
    missing = _missing(s3, bucket, after)
    changed = bool(missing) or before is None or _essence(before) != _essence(after)
    total = sum(file["size"] for file in after["files"])
    if not changed:
        emit(f"{name}: already published ({model.family}, {total / 1e6:,.1f} MB, digest {after['digest'][:12]})")
        after = before or after
    elif check_mode:
        emit(f"{name}: {len(missing)} of {len(after['files'])} files would be uploaded")
    else:
        _upload(s3, bucket, folder, after, missing)
        publishing.put_json(s3, bucket, layout.model_current_key(name), after)
        url = f"s3://{bucket}/{after['prefix']}"
        emit(
            f"{name}: {model.family}, {len(missing)} of {len(after['files'])} files ({total / 1e6:,.1f} MB) uploaded to {url}"
        )
    return {
        "changed": changed,
        "diff": {"before": _essence(before) if before else {}, "after": _essence(after)},
        "uploaded": len(missing),
        "model": after,
    }


def _fetch(source: str, revision: str, emit: Emit) -> tuple[Path, str | None]:
    """Return the folder of the source, and the commit of a hub's model. What the hub's cache has is not fetched again."""
    if not source.startswith(HUB):
        if revision:
            raise ConfigurationError("training_model_revision applies to models of a hub, but the source is a folder.")
        return Path(source).expanduser().resolve(), None
    from huggingface_hub import snapshot_download  # half a second that a folder need not cost
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, RepositoryNotFoundError, RevisionNotFoundError

    repository = source.removeprefix(HUB)
    emit(f"downloading {repository} from the hub unless it is cached")
    patterns = ["*.json", "*.safetensors", "*.md", "*.txt"]
    try:
        folder = Path(snapshot_download(repository, revision=revision or None, allow_patterns=patterns))
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        if isinstance(error, HFValidationError):
            hint = "A model of a hub is named owner/name."
        elif isinstance(error, RevisionNotFoundError):
            hint = "Check training_model_revision."
        elif isinstance(error, RepositoryNotFoundError):  # the hub answers the same for both
            hint = "Either there is no such model, or it needs a sign-in: `hf auth login`."
        else:
            hint = "Try again, or download it elsewhere and give its folder."
        raise TrainingError(
            f"{repository} could not be downloaded from the hub: {said}",
            hint=hint,
            code="download_failed",
        ) from error
    return folder, folder.name  # the cache's folder of a snapshot has the commit's name


def _pointer(name: str, source: str, commit: str | None, model: Pretrained) -> dict[str, Any]:
    digest = dataset_digest(model.files)
    return {
        "schema_version": 1,
        "name": name,
        "family": model.family,
        "digest": digest,
        "prefix": layout.model_prefix(name, digest),
        "source": source if source.startswith(HUB) else Path(source).name,
        "revision": commit,
        "settings": model.settings,
        "files": model.files,
        "created_at": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _essence(pointer: dict[str, Any]) -> dict[str, Any]:
    """The model itself; where it was taken from does not make it another one."""
    return {key: pointer.get(key) for key in ("schema_version", "name", "family", "digest", "settings")}


def _current(s3: S3Client, bucket: str, name: str, check_mode: bool) -> dict[str, Any] | None:
    try:
        return read_json(s3, bucket, layout.model_current_key(name))
    except NotOurs:  # a pointer in another form counts as none: it is written again
        return None
    except TrainingError as error:
        if check_mode and aws.error_code(error.__cause__ or error) == "NoSuchBucket":
            return None
        raise


def _missing(s3: S3Client, bucket: str, pointer: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the files that the bucket does not have, or not as they are here."""

    def there(file: dict[str, Any]) -> bool:
        try:
            return publishing.is_there(s3, bucket, pointer["prefix"] + file["path"], file["size"], file["sha256"])
        except TrainingError as error:
            if aws.error_code(error.__cause__ or error) in {"NoSuchBucket", "404"}:
                return False
            raise

    with ThreadPoolExecutor(THREADS) as pool:
        return [
            file for file, found in zip(pointer["files"], pool.map(there, pointer["files"]), strict=True) if not found
        ]


def _upload(s3: S3Client, bucket: str, folder: Path, pointer: dict[str, Any], missing: list[dict[str, Any]]) -> None:
    def one(file: dict[str, Any]) -> None:
        publishing.put(s3, bucket, pointer["prefix"] + file["path"], folder / file["path"], file["sha256"])

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(one, missing))
