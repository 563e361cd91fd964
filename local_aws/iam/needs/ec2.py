"""What an EC2 request needs: every resource it touches or makes, with the tags that moto knows of them.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ExamplePolicies_EC2.html#iam-example-runinstances
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html
"""

from __future__ import annotations

import re
from typing import Any

from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends

from local_aws.calls import Call
from local_aws.iam.conditions import UnknownElement
from local_aws.iam.policies import Need

Context = dict[str, "str | list[str]"]

# Operations on things that exist: the kind of resource and the parameter with its ids (numbered, where it is a list).
_ON_EXISTING = {
    "AssociateIamInstanceProfile": ("instance", "InstanceId"),
    "AttachVolume": ("volume", "VolumeId"),
    "AuthorizeSecurityGroupEgress": ("security-group", "GroupId"),
    "AuthorizeSecurityGroupIngress": ("security-group", "GroupId"),
    "CancelSpotInstanceRequests": ("spot-instances-request", "SpotInstanceRequestId"),
    "DeleteNetworkInterface": ("network-interface", "NetworkInterfaceId"),
    "DeleteSecurityGroup": ("security-group", "GroupId"),
    "DeleteSnapshot": ("snapshot", "SnapshotId"),
    "DeleteSubnet": ("subnet", "SubnetId"),
    "DeleteVolume": ("volume", "VolumeId"),
    "DeleteVpc": ("vpc", "VpcId"),
    "GetConsoleOutput": ("instance", "InstanceId"),
    "ModifyInstanceAttribute": ("instance", "InstanceId"),
    "ModifyInstanceMetadataOptions": ("instance", "InstanceId"),
    "RebootInstances": ("instance", "InstanceId"),
    "ReleaseAddress": ("elastic-ip", "AllocationId"),
    "StartInstances": ("instance", "InstanceId"),
    "StopInstances": ("instance", "InstanceId"),
    "TerminateInstances": ("instance", "InstanceId"),
}
# Operations on things that exist, whose kinds their ids tell.
_ON_SEVERAL = {
    "AssociateRouteTable": ("RouteTableId", "SubnetId"),
    "AttachInternetGateway": ("InternetGatewayId", "VpcId"),
    "CreateRoute": ("RouteTableId",),
    "DeleteInternetGateway": ("InternetGatewayId",),
    "DeleteRouteTable": ("RouteTableId",),
    "DeleteVpcEndpoints": ("VpcEndpointId",),
    "DetachInternetGateway": ("InternetGatewayId", "VpcId"),
    "ModifySubnetAttribute": ("SubnetId",),
    "ModifyVpcAttribute": ("VpcId",),
    "RevokeSecurityGroupEgress": ("GroupId",),
    "RevokeSecurityGroupIngress": ("GroupId",),
}
# Operations that make something: its kind, and the parameters with what exists of it already.
_MAKING = {
    "CreateInternetGateway": ("internet-gateway", ()),
    "CreateRouteTable": ("route-table", ("VpcId",)),
    "CreateSecurityGroup": ("security-group", ("VpcId",)),
    "CreateSubnet": ("subnet", ("VpcId",)),
    "CreateVpc": ("vpc", ()),
    "CreateVpcEndpoint": ("vpc-endpoint", ("VpcId", "RouteTableId")),
}
_OF_THE_ACCOUNT = ("GetEbsDefaultKmsKeyId", "GetEbsEncryptionByDefault")
_KIND_BY_PREFIX = {
    "eipalloc": "elastic-ip",
    "eni": "network-interface",
    "i": "instance",
    "igw": "internet-gateway",
    "rtb": "route-table",
    "sg": "security-group",
    "sir": "spot-instances-request",
    "snap": "snapshot",
    "subnet": "subnet",
    "vol": "volume",
    "vpc": "vpc",
    "vpce": "vpc-endpoint",
}
_WITHOUT_ACCOUNT = {"image", "snapshot"}


def needs_of(call: Call, account: str) -> list[Need] | None:
    """See local_aws.iam.needs."""
    needs = _of_resources(call, account)
    profile = call.parameters.get("IamInstanceProfile.Name") or call.parameters.get("IamInstanceProfile.Arn")
    if needs is not None and profile:
        passed = {"iam:passedtoservice": "ec2.amazonaws.com"}
        needs += [Need("iam:PassRole", role, passed) for role in _roles_in_profile(account, profile)]
    return needs


def _roles_in_profile(account: str, profile: str) -> list[str]:
    """Return the ARNs of the roles that an instance profile (its name or ARN) carries."""
    profiles = iam_backends[account]["aws"].instance_profiles.values()
    return [role.arn for one in profiles if profile in (one.name, one.arn) for role in one.roles]


def _of_resources(call: Call, account: str) -> list[Need] | None:
    action = f"ec2:{call.action}"
    if call.action.startswith("Describe") or call.action in _OF_THE_ACCOUNT:
        return [Need(action, "*", {"ec2:region": call.region})]  # they take no resource
    if call.action == "RunInstances":
        return _run_instances(call, account)
    if call.action in ("CreateTags", "DeleteTags"):
        ids = _listed(call.parameters, "ResourceId")
        asked = _tags(_pairs(call.parameters, "Tag"))
        return [
            Need(action, _arn(call.region, account, _kind(i), i), _existing(call.region, account, i) | asked)
            for i in ids
        ]
    if call.action in _ON_SEVERAL:
        ids = [one for name in _ON_SEVERAL[call.action] for one in _listed(call.parameters, name)]
        return _on(action, call.region, account, ids)
    if call.action == "DisassociateRouteTable":
        return _on(action, call.region, account, _associated(call.region, account, call.parameters["AssociationId"]))
    if call.action in _MAKING:
        return _making(call, account)
    if call.action in _ON_EXISTING:
        _, parameter = _ON_EXISTING[call.action]
        return existing(call.action, call.region, account, _listed(call.parameters, parameter))
    return None


def _on(action: str, region: str, account: str, ids: list[str]) -> list[Need]:
    return [Need(action, _arn(region, account, _kind(one), one), _existing(region, account, one)) for one in ids]


def _associated(region: str, account: str, association: str) -> list[str]:
    """Return the route table of an association, and its subnet."""
    tables = _backend(region, account).route_tables.values()
    return [
        one
        for table in tables
        if association in table._associations
        for one in (table.id, table._associations[association])
    ]


def _making(call: Call, account: str) -> list[Need]:
    """What is made is allowed by the tags of the request, what it is made in by its own. Tags need CreateTags as well.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html
    """
    kind, inside = _MAKING[call.action]
    given, action = call.parameters, f"ec2:{call.action}"
    asked = _tags({k: v for p in _prefixes(given, "TagSpecification") for k, v in _pairs(given, f"{p}.Tag").items()})
    made = _arn(call.region, account, kind, "*")
    needs = [Need(action, made, asked | {"ec2:region": call.region})]
    needs += _on(action, call.region, account, [one for name in inside for one in _listed(given, name)])
    if asked:
        needs.append(Need("ec2:CreateTags", made, asked | {"ec2:createaction": call.action, "ec2:region": call.region}))
    return needs


def existing(operation: str, region: str, account: str, ids: list[str]) -> list[Need]:
    """Return what an operation on things that exist needs."""
    kind, _ = _ON_EXISTING[operation]
    return [Need(f"ec2:{operation}", _arn(region, account, kind, one), _existing(region, account, one)) for one in ids]


def _run_instances(call: Call, account: str) -> list[Need]:
    given = call.parameters
    for name in given:
        if name.startswith(("LaunchTemplate.", "LicenseSpecification.", "CapacityReservationSpecification.")):
            raise UnknownElement(f"RunInstances with {name}")
    region: Context = {"ec2:region": call.region}
    tags = {
        given[f"{prefix}.ResourceType"]: _tags(_pairs(given, f"{prefix}.Tag"))
        for prefix in _prefixes(given, "TagSpecification")
    }
    needs: list[Need] = []

    def need(kind: str, identity: str, context: Context) -> None:
        needs.append(Need("ec2:RunInstances", _arn(call.region, account, kind, identity), region | context))

    need("instance", "*", _asked_instance(given, account) | tags.get("instance", {}))
    need("image", given.get("ImageId", ""), {})
    interfaces = _prefixes(given, "NetworkInterface")
    subnets = [given[k] for p in ("", *(f"{i}." for i in interfaces)) if (k := f"{p}SubnetId") in given]
    groups = _listed(given, "SecurityGroupId")
    for prefix in interfaces:
        groups += _listed(given, f"{prefix}.SecurityGroupId")
        if f"{prefix}.NetworkInterfaceId" in given:
            existing = given[f"{prefix}.NetworkInterfaceId"]
            need("network-interface", existing, _existing(call.region, account, existing))
    if not all(f"{prefix}.NetworkInterfaceId" in given for prefix in interfaces) or not interfaces:
        public = next((given[k] for i in interfaces if (k := f"{i}.AssociatePublicIpAddress") in given), None)
        context = tags.get("network-interface", {}) | _vpc_of(call, account, subnets)
        need("network-interface", "*", context | ({"ec2:associatepublicipaddress": public} if public else {}))
    for subnet in subnets:
        need("subnet", subnet, _existing(call.region, account, subnet) | _vpc_of(call, account, [subnet]))
    for group in groups:
        need("security-group", group, _existing(call.region, account, group))
    # Without a mapping of its own the image's root volume is made all the same.
    for prefix in _prefixes(given, "BlockDeviceMapping") or [""]:
        if f"{prefix}.Ebs.SnapshotId" in given:
            need("snapshot", given[f"{prefix}.Ebs.SnapshotId"], {})
        need("volume", "*", _asked_volume(given, prefix) | tags.get("volume", {}))
    if "KeyName" in given:
        need("key-pair", given["KeyName"], {})
    # Tags given with a launch need CreateTags as well: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html
    for kind, asked in tags.items():
        context = region | asked | {"ec2:createaction": "RunInstances"}
        needs.append(Need("ec2:CreateTags", _arn(call.region, account, kind, "*"), context))
    return needs


def _asked_instance(given: dict[str, str], account: str) -> Context:
    asked: Context = {"ec2:instancetype": given.get("InstanceType", "m1.small")}
    asked["ec2:instancemarkettype"] = given.get("InstanceMarketOptions.MarketType", "on-demand")
    for parameter, key in (
        ("MetadataOptions.HttpTokens", "ec2:metadatahttptokens"),
        ("MetadataOptions.HttpPutResponseHopLimit", "ec2:metadatahttpputresponsehoplimit"),
        ("MetadataOptions.HttpEndpoint", "ec2:metadatahttpendpoint"),
        ("IamInstanceProfile.Arn", "ec2:instanceprofile"),
    ):
        if parameter in given:
            asked[key] = given[parameter]
    if "IamInstanceProfile.Name" in given:
        asked["ec2:instanceprofile"] = f"arn:aws:iam::{account}:instance-profile/{given['IamInstanceProfile.Name']}"
    return asked


def _asked_volume(given: dict[str, str], prefix: str) -> Context:
    asked: Context = {"ec2:encrypted": given.get(f"{prefix}.Ebs.Encrypted", "false").lower()}
    for parameter, key in (("VolumeType", "ec2:volumetype"), ("VolumeSize", "ec2:volumesize")):
        if f"{prefix}.Ebs.{parameter}" in given:
            asked[key] = given[f"{prefix}.Ebs.{parameter}"]
    return asked


def _existing(region: str, account: str, identity: str) -> Context:
    """Return region and tags of something that exists (or not: then it has no tags, and no condition on one holds)."""
    context: Context = {"ec2:region": region, "aws:resourceaccount": account}
    for key, value in (_backend(region, account).tags.get(identity) or {}).items():
        context |= {f"aws:resourcetag/{key.lower()}": value, f"ec2:resourcetag/{key.lower()}": value}
    return context


def _vpc_of(call: Call, account: str, subnets: list[str]) -> Context:
    context: Context = {}
    for by_zone in _backend(call.region, account).subnets.values():
        for identity, subnet in by_zone.items():
            if identity in subnets:
                prefix = f"arn:aws:ec2:{call.region}:{account}"
                context |= {"ec2:vpc": f"{prefix}:vpc/{subnet.vpc_id}", "ec2:subnet": f"{prefix}:subnet/{identity}"}
                context |= {"ec2:availabilityzone": subnet.availability_zone}
    return context


def _backend(region: str, account: str) -> Any:
    return ec2_backends[account][region]


def _arn(region: str, account: str, kind: str, identity: str) -> str:
    owner = "" if kind in _WITHOUT_ACCOUNT else account
    return f"arn:aws:ec2:{region}:{owner}:{kind}/{identity}"


def _kind(identity: str) -> str:
    prefix = identity.split("-", 1)[0]
    if prefix not in _KIND_BY_PREFIX:
        raise UnknownElement(f"the kind of the EC2 resource {identity}")
    return _KIND_BY_PREFIX[prefix]


def _tags(pairs: dict[str, str]) -> Context:
    context: Context = {f"aws:requesttag/{key.lower()}": value for key, value in pairs.items()}
    return context | {"aws:tagkeys": list(pairs)} if pairs else context


def _prefixes(given: dict[str, str], name: str) -> list[str]:
    """Return `Name.1`, `Name.2`, …, as far as the request has parameters below them."""
    found = {m.group(0) for key in given if (m := re.match(rf"{name}\.\d+(?=\.)", key))}
    return sorted(found, key=lambda prefix: int(prefix.rsplit(".", 1)[1]))


def _listed(given: dict[str, str], name: str) -> list[str]:
    if name in given:
        return [given[name]]
    return [value for key, value in given.items() if re.fullmatch(rf"{re.escape(name)}\.\d+", key)]


def _pairs(given: dict[str, str], name: str) -> dict[str, str]:
    return {given[f"{p}.Key"]: given.get(f"{p}.Value", "") for p in _prefixes(given, name) if f"{p}.Key" in given}
