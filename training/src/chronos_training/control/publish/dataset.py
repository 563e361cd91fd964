"""Publishes a prepared dataset folder to S3 so that readers never see a half-published one (R19).

What a manifest names is never overwritten and never removed while that manifest is in place: a file whose content
changed gets a new name, the manifest is swapped last and only if nobody else swapped it, and the files of the manifest
before it stay for one more publication, because a run may still be reading them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from botocore.exceptions import ClientError

from chronos_training.control.publish.publishing import is_there, put
from chronos_training.core import aws, layout
from chronos_training.core.aws_types import S3Client
from chronos_training.core.errors import TrainingError
from chronos_training.core.manifest import Manifest, dataset_digest, parse_manifest
from chronos_training.core.objects import delete_objects
from chronos_training.data.manifest import MANIFEST, read_manifest, verify_files

THREADS = 8
SMALL = 32 << 20  # up to here one PutObject with its checksum; above, parts

Json = dict[str, Any]
# What the manifest tells about the publication or for people; the rest is the data and how to read it.
_INCIDENTAL = {"created_at", "files", "source", "licence", "notes", "findings"}


@dataclass(frozen=True)
class Remote:
    """What the bucket holds: the manifest (None when there is none) with its ETag, and size by path of every object."""

    manifest: Manifest | None
    etag: str | None
    sizes: dict[str, int]


@dataclass(frozen=True)
class Publication:
    """What has to be done. `uploads` are (local path, published path, sha256); `stale` are published paths."""

    manifest: Json
    uploads: list[tuple[str, str, str]]
    stale: list[str]
    changed: bool


def publish_dataset(s3: S3Client, bucket: str, folder: Path, *, check_mode: bool = False) -> Json:
    """Make `cached-datasets/<name>/` in `bucket` hold the prepared dataset in `folder`; return what was (or would be) done.

    The result holds changed, diff, name, digest, files, bytes, rows, uploaded. Of an unchanged dataset the manifest is
    read and every file is asked for its size and digest; one that was damaged in the bucket is uploaded again.
    Raises DataError when the folder is not what its manifest says, TrainingError when S3 refuses or another publication
    came in between (nothing that was published is harmed).
    """
    local = read_manifest(folder)
    verify_files(folder, local)
    prefix = layout.dataset_prefix(local["name"])
    remote = read_remote(s3, bucket, prefix, missing_bucket_is_empty=check_mode)
    plan = plan_publication(local, remote, _damaged(s3, bucket, prefix, remote))
    if plan.changed and not check_mode:
        _upload(s3, bucket, prefix, folder, plan)
        _swap(s3, bucket, prefix, plan.manifest, remote.etag)
        delete_objects(s3, bucket, [{"Key": prefix + path} for path in plan.stale])
    before = remote.manifest.content if remote.manifest else None
    return {
        "changed": plan.changed,
        "diff": {"before": _summary(before), "after": _summary(plan.manifest if plan.changed else before)},
        "name": local["name"],
        "url": f"s3://{bucket}/{prefix}",
        "digest": plan.manifest["digest"],
        "files": len(plan.manifest["files"]),
        "bytes": sum(int(entry["size"]) for entry in plan.manifest["files"]),
        "rows": plan.manifest["rows"],
        "items": plan.manifest["items"],
        "uploaded": len(plan.uploads),
    }


def read_remote(s3: S3Client, bucket: str, prefix: str, *, missing_bucket_is_empty: bool = False) -> Remote:
    """Return what lies below `prefix`. A manifest that cannot be understood counts as none: publishing mends it."""
    url = f"s3://{bucket}/{prefix}"
    sizes: dict[str, int] = {}
    try:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            sizes |= {entry["Key"][len(prefix) :]: int(entry["Size"]) for entry in page.get("Contents", [])}
        if MANIFEST not in sizes:
            return Remote(None, None, sizes)
        answer = s3.get_object(Bucket=bucket, Key=prefix + MANIFEST)
        body, etag = answer["Body"].read(), str(answer["ETag"])
    except ClientError as error:
        if missing_bucket_is_empty and aws.error_code(error) == "NoSuchBucket":
            return Remote(None, None, {})
        raise aws.explain(error, f"read {url}") from error
    try:
        return Remote(parse_manifest(body, url + MANIFEST), etag, sizes)
    except TrainingError:
        return Remote(None, etag, sizes)


def _damaged(s3: S3Client, bucket: str, prefix: str, remote: Remote) -> set[str]:
    """Return the paths that the manifest in place names and that are not, or no longer, what was published."""
    files = remote.manifest.files if remote.manifest else ()
    with ThreadPoolExecutor(THREADS) as pool:
        whole = pool.map(lambda file: is_there(s3, bucket, prefix + file.path, file.size, file.sha256), files)
        return {file.path for file, good in zip(files, whole, strict=True) if not good}


def plan_publication(local: Json, remote: Remote, damaged: Collection[str] = ()) -> Publication:
    """Return the manifest to publish and the files to upload and to remove. `damaged` paths are uploaded again. Pure."""
    named = {(_month(f.path), f.sha256): f.path for f in remote.manifest.files} if remote.manifest else {}
    protected = {f.path for f in remote.manifest.files} if remote.manifest else set()
    files, uploads = [], []
    for entry in local["files"]:
        path = named.get((_month(entry["path"]), entry["sha256"]))
        if path is None:
            path = entry["path"]
            # Same name, other content: the published bytes stay, also those of the manifest before.
            if protected and path in remote.sizes:
                path = f"{path.removesuffix('.parquet')}-{entry['sha256'][:12]}.parquet"
        files.append({**entry, "path": path})
        if path not in protected or path in damaged:
            uploads.append((entry["path"], path, entry["sha256"]))
    files.sort(key=lambda entry: str(entry["path"]))
    manifest = {**local, "digest": dataset_digest(files), "files": files}
    keep = {MANIFEST, *protected, *(entry["path"] for entry in files)}
    same = remote.manifest is not None and _essence(remote.manifest.content) == _essence(manifest)
    return Publication(manifest, uploads, sorted(set(remote.sizes) - keep), changed=not same or bool(uploads))


def _month(path: str) -> str:
    return str(PurePosixPath(path).parent)


def _essence(manifest: Json) -> Json:
    return {key: value for key, value in manifest.items() if key not in _INCIDENTAL}


def _upload(s3: S3Client, bucket: str, prefix: str, folder: Path, plan: Publication) -> None:
    def one(upload: tuple[str, str, str]) -> None:
        source, path, sha256 = upload
        if (folder / source).stat().st_size > SMALL:
            put(s3, bucket, prefix + path, folder / source, sha256)
            return
        # S3 computes the sha256 of what arrives and refuses it when it is not this one.
        checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
        with aws.explained(f"upload s3://{bucket}/{prefix}{path}"):
            s3.put_object(
                Bucket=bucket,
                Key=prefix + path,
                Body=(folder / source).read_bytes(),
                ChecksumSHA256=checksum,
                Metadata={"sha256": sha256},
            )

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(one, plan.uploads))


def _swap(s3: S3Client, bucket: str, prefix: str, manifest: Json, etag: str | None) -> None:
    """Put the manifest in place of the one that was looked at, or where none was."""
    body = (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode()
    condition: dict[str, Any] = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
    try:
        s3.put_object(Bucket=bucket, Key=prefix + MANIFEST, Body=body, ContentType="application/json", **condition)
    except ClientError as error:
        if aws.error_code(error) in {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}:
            raise TrainingError(
                f"Somebody else published s3://{bucket}/{prefix} in the meantime; their dataset is in place, yours is "
                "not.",
                hint="Publish again.",
                code="conflict",
            ) from None
        raise aws.explain(error, f"write s3://{bucket}/{prefix}{MANIFEST}") from error


def _summary(manifest: Json | None) -> str:
    """Return a manifest as a few lines for --diff."""
    if manifest is None:
        return ""
    size = sum(int(entry["size"]) for entry in manifest["files"])
    keys = ("name", "source", "freq", "items", "rows", "start", "end", "digest")
    lines = [f"{key}: {manifest.get(key)}" for key in keys]
    return "\n".join([*lines, f"files: {len(manifest['files'])}", f"bytes: {size}"]) + "\n"
