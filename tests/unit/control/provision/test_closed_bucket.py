"""S3 answers 403 for another account's bucket and for a missing permission: which of them it is, is asked, not guessed."""

from __future__ import annotations

import boto3
import pytest
from botocore.stub import Stubber

from chronos_training.control.provision.bucket import describe
from chronos_training.core.errors import TrainingError


@pytest.mark.parametrize(
    ("ours", "said"),
    [
        (["mine"], r"it belongs to this account, so permission for s3:ListBucket is missing"),
        (["other"], r"it belongs to another account\. Set training_bucket to another name"),
        (None, r"belongs to another account \(then set training_bucket to another name\), or s3:ListBucket is missing"),
    ],
)
def test_what_a_403_means(ours: list[str] | None, said: str) -> None:
    s3 = boto3.client("s3", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(s3) as answers:
        answers.add_client_error("head_bucket", "403", "Forbidden", 403)
        if ours is None:
            answers.add_client_error("list_buckets", "AccessDenied", "Access Denied", 403)
        else:
            answers.add_response("list_buckets", {"Buckets": [{"Name": name} for name in ours]})
        with pytest.raises(TrainingError, match=said):
            describe(s3, "mine")
