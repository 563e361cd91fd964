"""The tables of the volatility forecast in a bucket: every write is conditional, a killed or unanswered one is made good."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local_aws.testing import EmbeddedAws, wait_for

ROOT = Path(__file__).resolve().parents[2]
BUCKET, PLACE = "volatility", "s3://volatility/main"
INGEST = ("-m", "chronos_volatility.cli", "ingest", "--data")
MOMENT = ("--now", "2018-12-07T18:05-05:00")

# Reads or writes labels_daily of a place: python -c TABLE PLACE read MOMENT, or PLACE write VALUE REASON MOMENT
TABLE = """
import json, sys
from datetime import datetime
import pandas as pd
from chronos_training.core.errors import TrainingError
from chronos_volatility import tables
from chronos_volatility.storage import open_storage
place, what, *words = sys.argv[1:]
storage = open_storage(place)
if what == "read":
    rows = tables.read(storage, "labels_daily", as_of=datetime.fromisoformat(words[0]))
    print(json.dumps([[str(day.date()), value] for day, value in zip(rows["date"], rows["rv_5d"])]))
else:
    frame = pd.DataFrame({"date": pd.to_datetime(["2018-12-06", "2018-12-07"]), "rv_5d": float(words[0])})
    print(json.dumps(tables.write(storage, "labels_daily", frame, reason=words[1], now=datetime.fromisoformat(words[2]))))
"""


@pytest.fixture(scope="session")
def python() -> str:
    """The interpreter of the volatility environment."""
    command = [sys.executable, ROOT / "tools/volatility_env.py"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def bucket(aws: EmbeddedAws) -> Any:
    aws.client("s3").create_bucket(Bucket=BUCKET)
    return aws


def start(aws: EmbeddedAws, *words: str) -> subprocess.Popen[str]:
    env = {**os.environ, **aws.env, "PYTHONPATH": ""}
    return subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(aws: EmbeddedAws, *words: str) -> str:
    process = start(aws, *words)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out


def contents(aws: EmbeddedAws, prefix: str = "main/") -> dict[str, str]:
    """The objects of a prefix, by their keys below it."""
    pages = aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    return {one["Key"][len(prefix) :]: one["ETag"] for page in pages for one in page.get("Contents", [])}


def partitions(aws: EmbeddedAws, prefix: str = "main/") -> set[str]:
    return {key for key in contents(aws, prefix) if "/date=" in key}


def test_killed_in_the_middle_the_next_run_completes_it(bucket: EmbeddedAws, python: str) -> None:
    words = (python, *INGEST, PLACE, "--first", "2018-08-01", *MOMENT)
    process = start(bucket, *words)
    wait_for(lambda: len(contents(bucket)) > 20, "the first partitions", interval=0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert len(partitions(bucket)) < 2 * 90
    run(bucket, *words)
    whole = contents(bucket)
    assert len(partitions(bucket)) == 2 * 90
    bucket.forget_requests()
    assert run(bucket, *words).count("nothing new") == 2
    assert contents(bucket) == whole
    assert not [one for one in bucket.requests() if one["operation"] == "PutObject"]
    folder_run = run(bucket, *words[:5], "s3://volatility/again", *words[6:])
    assert "90 new partitions" in folder_run and partitions(bucket, "again/") == partitions(bucket)


def test_lost_answers_and_faults_change_nothing(bucket: EmbeddedAws, python: str) -> None:
    words = ("--first", "2018-11-01", *MOMENT)
    bucket.fault("PutObject", lose_answer=True, times=5, Key="main/raw.market/*")
    bucket.fault("PutObject", "InternalError", status=500, times=5, Key="main/curated.market_daily/*")
    run(bucket, python, *INGEST, PLACE, *words)
    run(bucket, python, *INGEST, "s3://volatility/again", *words)
    assert bucket.faults() == [] and partitions(bucket) == partitions(bucket, "again/") != set()


def test_the_past_survives_a_copy_of_the_bucket(bucket: EmbeddedAws, python: str) -> None:
    run(bucket, python, "-c", TABLE, PLACE, "write", "0.02", "", "2018-12-17T00:00+00:00")
    run(bucket, python, "-c", TABLE, PLACE, "write", "0.03", "late", "2018-12-18T00:00+00:00")
    s3 = bucket.client("s3")
    for key in contents(bucket):
        s3.copy_object(Bucket=BUCKET, Key=f"copy/{key}", CopySource={"Bucket": BUCKET, "Key": f"main/{key}"})
    for place in (PLACE, "s3://volatility/copy"):
        seen = [json.loads(run(bucket, python, "-c", TABLE, place, "read", moment))
                for moment in ("2018-12-17T12:00+00:00", "2018-12-19T00:00+00:00")]  # fmt: skip
        assert [[value for _, value in rows] for rows in seen] == [[0.02, 0.02], [0.03, 0.03]]


def test_two_writers_at_once_leave_one_truth(bucket: EmbeddedAws, python: str) -> None:
    run(bucket, python, "-c", TABLE, PLACE, "write", "0.02", "", "2018-12-17T00:00+00:00")
    both = [
        start(bucket, python, "-c", TABLE, PLACE, "write", value, "corrected", f"2018-12-18T00:00:0{value[-1]}+00:00")
        for value in ("0.03", "0.04")
    ]
    for process in both:
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
    rows = json.loads(run(bucket, python, "-c", TABLE, PLACE, "read", "2018-12-19T00:00+00:00"))
    for day, value in rows:
        versions = sorted(key.split("/")[-1][:4] for key in partitions(bucket) if day in key)
        # Either the second has seen the first and wrote above it, or both have the same number and the earlier one counts.
        assert (versions, value) in [
            (["0000", "0001", "0002"], 0.03), (["0000", "0001", "0002"], 0.04),
            (["0000", "0001", "0001"], 0.03), (["0000", "0001", "0001", "0002"], 0.04),
        ]  # fmt: skip


# Nine thousand partitions are written: a minute.
@pytest.mark.long
def test_from_prices_to_a_forecast_and_again_without_a_write(bucket: EmbeddedAws, python: str, tmp_path: Path) -> None:
    steps = [
        ["ingest", "--first", "2010-01-04"],
        ["features"],
        ["labels"],
        ["train", "--candidate", "log-har-x"],
        ["gate"],
        ["infer"],
    ]
    said = [run(bucket, python, *INGEST[:2], *words, "--data", PLACE, *MOMENT) for words in steps]
    assert "promote: log-har-x-20181207-" in said[4] and "2018-12-07: " in said[5]
    before = contents(bucket)
    bucket.forget_requests()
    for words in steps:
        run(bucket, python, *INGEST[:2], *words, "--data", PLACE, *MOMENT)
    assert contents(bucket) == before
    assert not [one for one in bucket.requests() if one["operation"] == "PutObject"]
    page = tmp_path / "report.html"
    run(bucket, python, *INGEST[:2], "report", "--data", PLACE, "--output", str(page), *MOMENT)
    assert "In service" in page.read_text(encoding="utf-8")
    # A rollback is one write of the pointer; there is nothing to go back to yet.
    refused = start(bucket, python, *INGEST[:2], "gate", "--rollback", "--data", PLACE, *MOMENT)
    assert refused.communicate(timeout=60)[1].startswith("ERROR: ") and refused.returncode == 2
