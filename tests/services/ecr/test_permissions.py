"""Who may push and pull: each permission of AWS's documents is needed, and a repository's policy counts."""

from __future__ import annotations

import json

from local_aws.testing import EmbeddedAws

from .registry_client import RegistryClient, code_of, digest_of

REPOSITORY = "arn:aws:ecr:us-east-1:123456789012:repository/api"
# https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html
PUSH = (
    "ecr:BatchCheckLayerAvailability",
    "ecr:CompleteLayerUpload",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
)
PULL = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")


def _policy(*actions: str) -> dict:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "Token", "Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
            *({"Effect": "Allow", "Action": action, "Resource": REPOSITORY} for action in actions),
        ],
    }


def _denials(client: RegistryClient) -> set[str]:
    """The permissions that a push and a pull as docker makes them are refused for."""
    layer, config = b"layer", b"{}"
    manifest = {"config": {"digest": digest_of(config), "size": 2}, "layers": [{"digest": digest_of(layer), "size": 5}]}
    answers = [client.ask("HEAD", f"api/blobs/{digest_of(layer)}")]
    for data in (layer, config):
        begun = client.ask("POST", "api/blobs/uploads/")
        answers.append(begun)
        if begun.status == 202:
            place = begun.headers["Location"]
            answers += [client.ask("PATCH", place, data), client.ask("PUT", f"{place}?digest={digest_of(data)}")]
    answers.append(client.push("api", "v1", json.dumps(manifest).encode()))
    answers += [client.ask("GET", "api/manifests/v1"), client.ask("GET", f"api/blobs/{digest_of(layer)}")]
    refused = {json.loads(one.data)["errors"][0]["message"] for one in answers if one.status == 403 and one.data}
    heads = {PUSH[0]} if answers[0].status == 403 else set()
    return {sentence.split("to perform: ")[1].split(" ")[0] for sentence in refused} | heads


def test_each_permission_is_needed_for_its_request_and_for_no_other(aws: EmbeddedAws):
    ecr = aws.client("ecr")
    user = aws.new_user("pusher", images=_policy(*PUSH, *PULL))
    for missing in (None, *PUSH, *PULL):
        ecr.create_repository(repositoryName="api")
        allowed = [one for one in (*PUSH, *PULL) if one != missing]
        aws.change_policy("arn:aws:iam::123456789012:policy/pusher-images", _policy(*allowed))
        assert _denials(RegistryClient(aws, user)) == ({missing} if missing else set())
        ecr.delete_repository(repositoryName="api", force=True)


def test_a_repositorys_policy_lets_in_and_shuts_out(aws: EmbeddedAws):
    ecr = aws.client("ecr")
    ecr.create_repository(repositoryName="api")
    root = RegistryClient(aws)
    root.push("api", "v1", root.manifest("api"))
    reader = RegistryClient(aws, aws.new_user("reader", token=_policy()))
    refused = reader.ask("GET", "api/manifests/v1")
    assert code_of(refused) == (403, "DENIED")
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::123456789012:user/reader"},
        "Action": "ecr:BatchGetImage",
    }
    for effect, status in (("Allow", 200), ("Deny", 403)):
        policy = {"Version": "2012-10-17", "Statement": [{**statement, "Effect": effect}]}
        ecr.set_repository_policy(repositoryName="api", policyText=json.dumps(policy))
        assert reader.ask("GET", "api/manifests/v1").status == status
    ecr.delete_repository_policy(repositoryName="api")
    assert reader.ask("GET", "api/manifests/v1").status == 403


def test_a_password_is_its_owners_for_twelve_hours(aws: EmbeddedAws):
    aws.client("ecr").create_repository(repositoryName="api")
    client = RegistryClient(aws)
    assert client.ask("GET", "").status == 200
    aws.advance(12 * 3600 + 1)
    refused = client.ask("GET", "")
    assert refused.status == 401
    assert b"expired" in refused.data
