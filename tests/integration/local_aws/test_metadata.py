"""The instance metadata service, asked as an SDK and as curl would ask it."""

from __future__ import annotations

import gzip
import json
import urllib.error
import urllib.request
from datetime import datetime, timezone

import pytest
from botocore.utils import InstanceMetadataFetcher

from local_aws.testing import EmbeddedAws, wait_for

USER_DATA = "#cloud-config\n{}\n"
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Imds:
    """One instance's service: ask(method, path, headers) gives (status, body, headers)."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint

    def ask(self, method: str, path: str, **headers: str) -> tuple[int, str, dict]:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.endpoint + path, method=method, headers=sent)
        try:
            with OPENER.open(request, timeout=60) as answer:
                return answer.status, answer.read().decode(), dict(answer.headers)
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(), dict(error.headers)

    def token(self, seconds: int = 60) -> str:
        status, token, _ = self.ask("PUT", "/latest/api/token", X_aws_ec2_metadata_token_ttl_seconds=str(seconds))
        assert status == 200
        return token

    def get(self, path: str) -> tuple[int, str]:
        return self.ask("GET", path, X_aws_ec2_metadata_token=self.token())[:2]


def launch(aws: EmbeddedAws, user_data: str | bytes = USER_DATA, **parameters) -> tuple[str, Imds]:
    instance = aws.launch(user_data, **{"MetadataOptions": {"HttpTokens": "required"}} | parameters)
    [machine] = wait_for(lambda: [m for m in aws.machines() if m["instance_id"] == instance], "the machine")
    return instance, Imds(machine["metadata_endpoint"])


def test_a_token_is_required_expires_and_has_bounds(aws: EmbeddedAws) -> None:
    _, imds = launch(aws)
    path = "/latest/meta-data/instance-id"
    assert imds.ask("GET", path)[0] == 401
    assert imds.ask("GET", path, X_aws_ec2_metadata_token="invented")[0] == 401
    for seconds in ("", "0", "21601", "-1", "ten"):
        assert imds.ask("PUT", "/latest/api/token", X_aws_ec2_metadata_token_ttl_seconds=seconds)[0] == 400
    assert imds.ask("PUT", "/latest/api/token")[0] == 400
    assert imds.ask("PUT", "/latest/meta-data/")[0] == 405
    forwarded = imds.ask(
        "PUT", "/latest/api/token", X_aws_ec2_metadata_token_ttl_seconds="60", X_Forwarded_For="1.2.3.4"
    )
    assert forwarded[0] == 403
    short = imds.token(1)
    status, _, headers = imds.ask("GET", path, X_aws_ec2_metadata_token=short)
    assert status == 200
    assert headers["X-aws-ec2-metadata-token-ttl-seconds"] == "1"
    wait_for(lambda: imds.ask("GET", path, X_aws_ec2_metadata_token=short)[0] == 401, "the token to expire", 5)


def test_tokens_are_optional_or_the_service_off_if_the_options_say_so(aws: EmbeddedAws) -> None:
    path = "/latest/meta-data/instance-id"
    instance, imds = launch(aws, MetadataOptions={"HttpTokens": "optional"})
    assert imds.ask("GET", path)[:2] == (200, instance)
    assert imds.ask("GET", path, X_aws_ec2_metadata_token="invented")[0] == 401
    _, imds = launch(aws, MetadataOptions={"HttpEndpoint": "disabled"})
    assert imds.ask("GET", path)[0] == 403


def test_what_it_says_of_the_instance(aws: EmbeddedAws) -> None:
    instance, imds = launch(aws, InstanceType="g4dn.2xlarge")
    shown = aws.instance(instance)
    expected = {
        "instance-id": instance,
        "instance-type": "g4dn.2xlarge",
        "ami-id": shown["ImageId"],
        "placement/availability-zone": shown["Placement"]["AvailabilityZone"],
        "placement/region": "us-east-1",
        "local-ipv4": "127.0.0.1",  # where the machines of level process reach each other
        "ami-launch-index": "0",
        "public-ipv4": shown["PublicIpAddress"],
        "mac": shown["NetworkInterfaces"][0]["MacAddress"],
    }
    for version in ("latest", "2016-09-02", "2021-07-15"):
        for path, value in expected.items():
            assert imds.get(f"/{version}/meta-data/{path}") == (200, value)
    listing = imds.get("/latest/meta-data/")[1].split("\n")
    assert {"instance-id", "placement/", "mac"} <= set(listing)
    assert "iam/" not in listing
    assert imds.get("/latest/meta-data/placement")[1].split("\n") == ["availability-zone", "region"]
    assert imds.get("/latest/user-data") == (200, USER_DATA)
    identity = json.loads(imds.get("/latest/dynamic/instance-identity/document")[1])
    assert (identity["instanceId"], identity["region"], identity["accountId"]) == (
        instance,
        "us-east-1",
        "123456789012",
    )
    for unknown in (
        "/latest/meta-data/nothing",
        "/latest/meta-data/spot/instance-action",
        "/2016/meta-data/",
        "/latest/x",
    ):
        assert imds.get(unknown)[0] == 404


def test_role_credentials_are_those_of_the_profile_s_role(aws: EmbeddedAws) -> None:
    iam = aws.client("iam")
    trust: dict = {"Version": "2012-10-17", "Statement": []}
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=json.dumps(trust))
    iam.create_instance_profile(InstanceProfileName="profile")
    iam.add_role_to_instance_profile(InstanceProfileName="profile", RoleName="worker")
    instance, imds = launch(aws, IamInstanceProfile={"Name": "profile"})
    assert imds.get("/latest/meta-data/iam/security-credentials/") == (200, "worker")
    refused = json.loads(imds.get("/latest/meta-data/iam/security-credentials/worker")[1])
    assert refused["Code"] == "AssumeRoleUnauthorizedAccess" and "AccessKeyId" not in refused
    service = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam.update_assume_role_policy(RoleName="worker", PolicyDocument=json.dumps({**trust, "Statement": [service]}))
    credentials = json.loads(imds.get("/latest/meta-data/iam/security-credentials/worker")[1])
    assert credentials["Code"] == "Success"
    assert datetime.fromisoformat(credentials["Expiration"]) > datetime.now(timezone.utc)
    caller = aws.client("sts", credentials=credentials).get_caller_identity()
    assert caller["Arn"] == f"arn:aws:sts::123456789012:assumed-role/worker/{instance}"
    assert imds.get("/latest/meta-data/iam/security-credentials/other")[0] == 404
    assert json.loads(imds.get("/latest/meta-data/iam/info")[1])["InstanceProfileArn"].endswith("/profile")
    fetched = InstanceMetadataFetcher(base_url=imds.endpoint).retrieve_iam_role_credentials()
    assert fetched["access_key"] == credentials["AccessKeyId"]


def test_tags_appear_only_if_allowed(aws: EmbeddedAws) -> None:
    tags = {"TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "RunId", "Value": "r1"}]}]}
    _, imds = launch(aws, **tags)
    assert imds.get("/latest/meta-data/tags/instance/RunId")[0] == 404
    _, imds = launch(aws, **tags, MetadataOptions={"InstanceMetadataTags": "enabled"})
    assert imds.get("/latest/meta-data/tags/instance/RunId") == (200, "r1")


def test_a_spot_interruption_can_be_announced(aws: EmbeddedAws, run_cli) -> None:
    instance, imds = launch(aws, InstanceMarketOptions={"MarketType": "spot"})
    assert imds.get("/latest/meta-data/instance-life-cycle") == (200, "spot")
    assert imds.get("/latest/meta-data/spot/instance-action")[0] == 404
    run_cli("spot-notice", instance, home=aws.home)
    assert json.loads(imds.get("/latest/meta-data/spot/instance-action")[1])["action"] == "terminate"


def test_binary_user_data_is_handed_out_as_it_is(aws: EmbeddedAws) -> None:
    packed = gzip.compress(USER_DATA.encode())
    _, imds = launch(aws, packed)
    request = urllib.request.Request(imds.endpoint + "/latest/user-data")
    request.add_header("X-aws-ec2-metadata-token", imds.token())
    assert OPENER.open(request, timeout=60).read() == packed


def test_it_ends_with_the_instance(aws: EmbeddedAws) -> None:
    instance, imds = launch(aws)
    aws.client("ec2").terminate_instances(InstanceIds=[instance])
    aws.wait_for_state(instance, "terminated")
    with pytest.raises(OSError):
        imds.ask("GET", "/latest/meta-data/")
