"""What an IAM request needs."""

from __future__ import annotations

from local_aws.calls import Call, operations_of
from local_aws.iam.policies import Need


def needs_of(call: Call, account: str) -> list[Need] | None:
    """See local_aws.iam.needs."""
    if call.action not in operations_of("iam"):
        return None
    given = call.parameters
    kinds = {"RoleName": "role", "UserName": "user", "GroupName": "group", "PolicyName": "policy"}
    context = {"iam:policyarn": given["PolicyArn"]} if "PolicyArn" in given else {}
    resource = given.get("PolicyArn") or given.get("PolicySourceArn") or given.get("OpenIDConnectProviderArn") or "*"
    if call.action == "CreateOpenIDConnectProvider":
        resource = f"arn:aws:iam::{account}:oidc-provider/{given.get('Url', '').removeprefix('https://')}"
    if call.action == "CreateServiceLinkedRole":
        service = given.get("AWSServiceName", "")
        resource = f"arn:aws:iam::{account}:role/aws-service-role/{service}/*"
        context = {"iam:awsservicename": service}
    # Of several names the first is the resource: PutRolePolicy has a role's name and an inline policy's.
    for parameter in ("InstanceProfileName", *kinds):
        if parameter in given:
            kind = kinds.get(parameter, "instance-profile")
            resource = f"arn:aws:iam::{account}:{kind}{given.get('Path', '/')}{given[parameter]}"
            break
    needs = [Need(f"iam:{call.action}", resource, context)]
    # Tags given with what is made need the action that tags as well.
    if call.action.startswith("Create") and any(name.startswith("Tags.") for name in given):
        needs.append(Need(f"iam:Tag{call.action.removeprefix('Create')}", resource))
    if call.action == "AddRoleToInstanceProfile":
        passed = {"iam:passedtoservice": "ec2.amazonaws.com"}
        needs.append(Need("iam:PassRole", f"arn:aws:iam::{account}:role/{given['RoleName']}", passed))
    return needs
