"""Settings of an account and region that a launch meets: the default key of volumes, and blocked public access of VPCs.

moto lets the default key be changed and never told, and has no block of public access. The names of both are botocore's.
https://docs.aws.amazon.com/vpc/latest/userguide/security-vpc-bpa.html
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.responses import EC2Response
from moto.kms.models import kms_backends

AWS_OWN_KEY = "alias/aws/ebs"  # what EC2 answers as long as nobody has chosen another


def close_gap() -> None:
    def get_ebs_default_kms_key_id(self: EC2Response) -> ActionResult:
        chosen, kms = self.ec2_backend.default_kms_key_id, kms_backends[self.current_account][self.region]
        # moto makes the key behind that alias with the first encrypted volume.
        own = kms.describe_key(AWS_OWN_KEY).arn if kms.alias_exists(AWS_OWN_KEY) else ""
        return ActionResult({"KmsKeyId": AWS_OWN_KEY if chosen in ("", own) else chosen})

    def describe_vpc_block_public_access_options(self: EC2Response) -> ActionResult:
        return ActionResult({"VpcBlockPublicAccessOptions": _options(self)})

    def modify_vpc_block_public_access_options(self: EC2Response) -> ActionResult:
        self.ec2_backend.local_aws_block_mode = self._get_param("InternetGatewayBlockMode")
        return ActionResult({"VpcBlockPublicAccessOptions": _options(self)})

    def describe_vpc_block_public_access_exclusions(self: EC2Response) -> ActionResult:
        return ActionResult({"VpcBlockPublicAccessExclusions": _exclusions(self)})

    def create_vpc_block_public_access_exclusion(self: EC2Response) -> ActionResult:
        kind, identity = next((k, i) for k in ("Vpc", "Subnet") if (i := self._get_param(f"{k}Id")))
        exclusion = {
            "ExclusionId": f"vpcbpa-exclude-{len(_exclusions(self)):017x}",
            "InternetGatewayExclusionMode": self._get_param("InternetGatewayExclusionMode"),
            "ResourceArn": f"arn:aws:ec2:{self.region}:{self.current_account}:{kind.lower()}/{identity}",
            "State": "create-complete",
        }
        self.ec2_backend.local_aws_exclusions = [*_exclusions(self), exclusion]
        return ActionResult({"VpcBlockPublicAccessExclusion": exclusion})

    for function in (
        get_ebs_default_kms_key_id,
        describe_vpc_block_public_access_options,
        modify_vpc_block_public_access_options,
        describe_vpc_block_public_access_exclusions,
        create_vpc_block_public_access_exclusion,
    ):
        setattr(EC2Response, function.__name__, function)


def _options(request: EC2Response) -> dict[str, Any]:
    mode = getattr(request.ec2_backend, "local_aws_block_mode", "off")
    return {
        "AwsAccountId": request.current_account,
        "AwsRegion": request.region,
        "State": "default-state" if mode == "off" else "update-complete",
        "InternetGatewayBlockMode": mode,
        "ManagedBy": "account",
        "ExclusionsAllowed": "allowed",
    }


def _exclusions(request: EC2Response) -> list[dict[str, Any]]:
    return list(getattr(request.ec2_backend, "local_aws_exclusions", []))
