"""The registry: the requests that clients of it make, one by one."""

from __future__ import annotations

import json

import pytest
import urllib3

from local_aws.testing import EmbeddedAws

from .registry_client import MANIFEST, RegistryClient, code_of, digest_of


@pytest.fixture
def client(aws: EmbeddedAws) -> RegistryClient:
    aws.client("ecr").create_repository(repositoryName="team/api")
    return RegistryClient(aws)


def test_an_image_that_was_pushed_is_the_one_of_the_api_and_comes_back(aws, client):
    manifest = client.manifest("team/api", layer=b"x" * 1000)
    answer = client.push("team/api", "v1", manifest)
    digest = digest_of(manifest)
    assert (answer.status, answer.headers["Docker-Content-Digest"]) == (201, digest)

    ecr = aws.client("ecr")
    [image] = ecr.describe_images(repositoryName="team/api")["imageDetails"]
    assert (image["imageDigest"], image["imageTags"], image["imageSizeInBytes"]) == (digest, ["v1"], 1000)
    assert ecr.list_images(repositoryName="team/api")["imageIds"] == [{"imageDigest": digest, "imageTag": "v1"}]
    [got] = ecr.batch_get_image(repositoryName="team/api", imageIds=[{"imageTag": "v1"}])["images"]
    assert got["imageManifest"].encode() == manifest
    for reference in ("v1", digest):
        back = client.ask("GET", f"team/api/manifests/{reference}")
        assert (back.data, back.headers["Content-Type"]) == (manifest, MANIFEST)
        head = client.ask("HEAD", f"team/api/manifests/{reference}")
        assert (head.status, head.headers["Docker-Content-Digest"]) == (200, digest)
    layer = json.loads(manifest)["layers"][0]["digest"]
    assert client.ask("GET", f"team/api/blobs/{layer}").data == b"x" * 1000
    assert client.ask("HEAD", f"team/api/blobs/{layer}").headers["Content-Length"] == "1000"
    url = ecr.get_download_url_for_layer(repositoryName="team/api", layerDigest=layer)["downloadUrl"]
    assert urllib3.request("GET", url).data == b"x" * 1000  # without any password


def test_a_layer_comes_in_chunks_that_must_fit_together(client):
    parts = [b"first", b"second", b"third"]
    place = client.ask("POST", "team/api/blobs/uploads/").headers["Location"]
    first = client.ask("PATCH", place, parts[0], Content_Range="0-4")
    assert (first.status, first.headers["Range"]) == (202, "0-4")
    assert client.ask("PATCH", place, parts[2], Content_Range="11-15").status == 416
    assert client.ask("GET", place).headers["Range"] == "0-4"
    assert client.ask("PATCH", place, parts[1], Content_Range="5-10").status == 202
    digest = digest_of(b"".join(parts))
    assert client.ask("PUT", f"{place}?digest={digest}", parts[2]).status == 201
    assert client.ask("GET", f"team/api/blobs/{digest}").data == b"firstsecondthird"
    assert code_of(client.ask("PATCH", place, b"more")) == (404, "BLOB_UPLOAD_UNKNOWN")


def test_a_layer_of_another_repository_is_mounted_and_an_unknown_one_is_to_be_uploaded(aws, client):
    aws.client("ecr").create_repository(repositoryName="other")
    digest = client.push_blob("team/api", b"shared")
    answer = client.ask("POST", f"other/blobs/uploads/?mount={digest}&from=team/api")
    assert answer.status == 201
    assert client.ask("GET", f"other/blobs/{digest}").data == b"shared"
    assert client.ask("POST", f"other/blobs/uploads/?mount={digest_of(b'?')}&from=team/api").status == 202


def test_what_is_wrong_is_refused_in_the_words_of_the_registry(aws, client):
    place = client.ask("POST", "team/api/blobs/uploads/").headers["Location"]
    assert code_of(client.ask("PUT", f"{place}?digest={digest_of(b'a')}", b"b")) == (400, "DIGEST_INVALID")
    assert code_of(client.ask("POST", "nothing/blobs/uploads/")) == (404, "NAME_UNKNOWN")
    assert code_of(client.ask("GET", "team/api/manifests/v9")) == (404, "MANIFEST_UNKNOWN")
    assert code_of(client.ask("GET", f"team/api/blobs/{digest_of(b'a')}")) == (404, "BLOB_UNKNOWN")
    manifest = client.manifest("team/api")
    assert code_of(client.push("team/api", digest_of(b"else"), manifest)) == (400, "DIGEST_INVALID")
    absent = manifest.replace(digest_of(b"layer").encode(), digest_of(b"absent").encode())
    assert code_of(client.push("team/api", "v1", absent)) == (400, "MANIFEST_BLOB_UNKNOWN")
    nobody = urllib3.request("GET", f"{aws.endpoint}/v2/", headers={"Authorization": "Basic QVdTOm5vYm9keQ=="})
    assert code_of(nobody) == (401, "UNAUTHORIZED")
    assert nobody.headers["WWW-Authenticate"].startswith("Basic")


def test_an_immutable_tag_stays_and_a_mutable_one_moves_on(aws, client):
    ecr = aws.client("ecr")
    ecr.create_repository(repositoryName="fixed", imageTagMutability="IMMUTABLE")
    for repository in ("fixed", "team/api"):
        assert client.push(repository, "v1", client.manifest(repository, b"old")).status == 201
        assert client.push(repository, "v1", client.manifest(repository, b"old")).status == 201  # the same again
    new = client.manifest("fixed", b"new")
    refused = client.push("fixed", "v1", new)
    assert code_of(refused) == (400, "TAG_INVALID")
    assert b"cannot be overwritten because the tag is immutable" in refused.data
    with pytest.raises(ecr.exceptions.ImageTagAlreadyExistsException):
        ecr.put_image(repositoryName="fixed", imageManifest=new.decode(), imageTag="v1")

    assert client.push("team/api", "v1", client.manifest("team/api", b"new")).status == 201
    images = ecr.describe_images(repositoryName="team/api")["imageDetails"]
    assert sorted(image.get("imageTags", []) for image in images) == [[], ["v1"]]


def test_an_index_names_images_that_are_there(client):
    manifest = client.manifest("team/api")
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{"digest": digest_of(manifest), "size": len(manifest), "mediaType": MANIFEST}],
    }
    body = json.dumps(index).encode()

    def push():
        return client.ask("PUT", "team/api/manifests/all", body, Content_Type=index["mediaType"])

    assert code_of(push()) == (400, "MANIFEST_BLOB_UNKNOWN")
    assert client.push("team/api", digest_of(manifest), manifest).status == 201
    assert push().status == 201
    assert client.ask("GET", "team/api/manifests/all").data == body


def test_tags_come_in_pages(client):
    manifest = client.manifest("team/api")
    for tag in ("a", "b", "c"):
        client.push("team/api", tag, manifest)
    page = client.ask("GET", "team/api/tags/list?n=2")
    assert json.loads(page.data)["tags"] == ["a", "b"]
    rest = page.headers["Link"].split(">")[0].removeprefix("</v2/")
    assert json.loads(client.ask("GET", rest).data) == {"name": "team/api", "tags": ["c"]}


def test_the_layers_of_a_deleted_image_go_unless_another_image_has_them(aws, client):
    kept, gone = (client.manifest("team/api", layer) for layer in (b"kept", b"gone"))
    client.push("team/api", "kept", kept)
    client.push("team/api", "gone", gone)
    assert client.ask("DELETE", f"team/api/manifests/{digest_of(gone)}").status == 202
    assert client.ask("HEAD", f"team/api/blobs/{digest_of(b'gone')}").status == 404
    assert client.ask("HEAD", f"team/api/blobs/{digest_of(b'kept')}").status == 200
    blobs = aws.home / "registry/blobs"
    assert len(list(blobs.iterdir())) == 2
    aws.client("ecr").delete_repository(repositoryName="team/api", force=True)
    assert not list(blobs.iterdir())


def test_the_api_of_layers_is_the_registrys(aws, client):
    ecr = aws.client("ecr")
    upload = ecr.initiate_layer_upload(repositoryName="team/api")["uploadId"]
    for first, part in ((0, b"abc"), (3, b"def")):
        ecr.upload_layer_part(
            repositoryName="team/api", uploadId=upload, partFirstByte=first, partLastByte=first + 2, layerPartBlob=part
        )
    digest = digest_of(b"abcdef")
    ecr.complete_layer_upload(repositoryName="team/api", uploadId=upload, layerDigests=[digest])
    assert client.ask("GET", f"team/api/blobs/{digest}").data == b"abcdef"
