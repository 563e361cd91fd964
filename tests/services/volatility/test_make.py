"""`make volatility` as a stranger types it: from the bundled prices to the report, and to an answer of the deployed API."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from local_aws.testing import EmbeddedAws
from tests.services.volatility.daily_stack import ROOT

# Minutes: 29 years of sessions as files, nine as objects in the bucket, and a training each.
pytestmark = [pytest.mark.services, pytest.mark.long, pytest.mark.timeout(2400)]


def make(aws: EmbeddedAws, target: str, **environment: str) -> str:
    done = subprocess.run(
        ["make", "--no-print-directory", target],
        cwd=ROOT,
        env=os.environ | aws.env | {"LOCAL_AWS_HOME": str(aws.home), "NO_COLOR": "1", **environment},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_make_volatility_ends_with_the_report_and_an_answer_of_the_api(aws: EmbeddedAws, tmp_path: Path) -> None:
    said = make(aws, "volatility", VOLATILITY_DATA=str(tmp_path / "data"))
    assert "volatility: the report is results/volatility/report.html, " in said, said
    assert (ROOT / "results/volatility/report.html").stat().st_size > 10_000
    assert "/predict: 200 in " in said and "/predict without a key: 403" in said, said
    assert re.search(r"volatility: the API answered with the forecast of 2018-12-07, \d+ s after this began", said), (
        said
    )
    answer = json.loads(re.search(r"^ *\{$.*?^ *\}$", said, re.MULTILINE | re.DOTALL)[0])  # type: ignore[index]
    assert answer["as_of_date"] == "2018-12-07" and 0.001 < answer["rv_5d_hat"] < 0.5, answer
    assert "Traceback" not in said and "FAILED" not in said, said

    # Again: everything is there, and the chain finds what it did.
    keys = keys_of(aws)
    said = make(aws, "volatility-local")
    assert re.findall(r"changed=(\d+)", said)[-1] == "1", said  # an execution of the chain
    assert "/predict: 200 in " in said and keys_of(aws) == keys, said


def keys_of(aws: EmbeddedAws) -> list[str]:
    pages = aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket="volatility-local-123456789012-us-east-1")
    return [one["Key"] for page in pages for one in page["Contents"]]
