"""What moto still lacks without us. A test that fails here means that moto has closed the gap: take our patch away."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import datetime, timezone

import boto3
import pytest
from moto import mock_aws

DIGEST = "sha256:" + "0" * 64
MANIFEST = json.dumps(
    {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"digest": DIGEST, "size": 7},
        "layers": [{"digest": DIGEST, "size": 1000}],
    }
)


@pytest.fixture
def ecr(monkeypatch):
    for name, value in {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("ecr", region_name="us-east-1")
        client.create_repository(repositoryName="api")
        yield client


def test_the_token_is_everybodys_and_has_expired(ecr):
    given = ecr.get_authorization_token()["authorizationData"][0]
    assert base64.b64decode(given["authorizationToken"]) == b"AWS:123456789012-auth-token"
    assert given["expiresAt"] < datetime.now(timezone.utc)


def test_digest_and_size_are_not_the_images_and_layers_need_not_be_there(ecr):
    ecr.put_image(repositoryName="api", imageManifest=MANIFEST, imageTag="v1")
    [image] = ecr.describe_images(repositoryName="api")["imageDetails"]
    assert image["imageDigest"] != "sha256:" + hashlib.sha256(MANIFEST.encode()).hexdigest()
    assert image["imageSizeInBytes"] == 7


def test_the_image_that_a_tag_leaves_is_deleted_and_an_immutable_tag_has_the_wrong_error(ecr):
    for size in (7, 8):
        ecr.put_image(repositoryName="api", imageManifest=MANIFEST.replace("7", str(size)), imageTag="v1")
    assert len(ecr.describe_images(repositoryName="api")["imageDetails"]) == 1
    ecr.put_image_tag_mutability(repositoryName="api", imageTagMutability="IMMUTABLE")
    with pytest.raises(ecr.exceptions.ImageAlreadyExistsException):
        ecr.put_image(repositoryName="api", imageManifest=MANIFEST.replace("7", "9"), imageTag="v1")


def test_a_layers_digest_is_not_compared_and_no_layer_can_be_downloaded(ecr):
    upload = ecr.initiate_layer_upload(repositoryName="api")["uploadId"]
    ecr.upload_layer_part(repositoryName="api", uploadId=upload, partFirstByte=0, partLastByte=2, layerPartBlob=b"abc")
    done = ecr.complete_layer_upload(repositoryName="api", uploadId=upload, layerDigests=[DIGEST])
    assert done["layerDigest"] != DIGEST
    with pytest.raises(NotImplementedError):
        ecr.get_download_url_for_layer(repositoryName="api", layerDigest=done["layerDigest"])
