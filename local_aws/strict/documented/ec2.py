"""What EC2 refuses by its documents."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Iterator

from local_aws.strict.rules import Parameters, Refusal, tag_refusals

# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
_GROUP_TEXT = re.compile(r"[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{0,255}")
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-add-user-data.html: before base64
_LARGEST_USER_DATA = 16 * 1024
# https://docs.aws.amazon.com/ebs/latest/userguide/ebs-volume-types.html
_GP3_GIB = (1, 65536)


def refusals(action: str, given: Parameters) -> Iterator[Refusal]:
    """See local_aws.strict.documented."""
    tag_lists = [given["Tags"]] if action == "CreateTags" and "Tags" in given else []
    tag_lists += [spec.get("Tags", []) for spec in given.get("TagSpecifications", [])]
    for tags in tag_lists:
        yield from tag_refusals(tags, "InvalidParameterValue", text=None)  # EC2 alone takes any character
    if action == "CreateSecurityGroup":
        yield from _group(given)
    if action.startswith(("AuthorizeSecurityGroup", "UpdateSecurityGroupRuleDescriptions")):
        yield from _rule_descriptions(given.get("IpPermissions", []))
    if action == "RunInstances":
        yield from _launch(given)
    if action == "CreateVpc" and "CidrBlock" in given:
        yield from _range_of_addresses(given["CidrBlock"])


def _group(given: Parameters) -> Iterator[Refusal]:
    name, description = given.get("GroupName", ""), given.get("Description", "")
    if name.startswith("sg-"):
        yield Refusal("InvalidParameterValue", "Group names may not be in the format sg-*")
    for parameter, text in (("groupName", name), ("GroupDescription", description)):
        if not _GROUP_TEXT.fullmatch(text):
            said = "Character sets beyond ASCII are not supported." if not text.isascii() else "Invalid characters."
            yield Refusal("InvalidParameterValue", f"Value ({text}) for parameter {parameter} is invalid. {said}")


def _rule_descriptions(permissions: list[Parameters]) -> Iterator[Refusal]:
    for permission in permissions:
        for kind in ("IpRanges", "Ipv6Ranges", "UserIdGroupPairs", "PrefixListIds"):
            for end in permission.get(kind, []):
                if not _GROUP_TEXT.fullmatch(end.get("Description", "")):
                    yield Refusal(
                        "InvalidParameterValue",
                        f"Invalid rule description '{end['Description']}'. Only 255 characters of "
                        "a-zA-Z0-9. _-:/()#,@[]+=&;{}!$* are allowed.",
                    )


def _launch(given: Parameters) -> Iterator[Refusal]:
    if given.get("UserData"):
        try:
            size = len(base64.b64decode(given["UserData"], validate=True))
        except (binascii.Error, ValueError):
            yield Refusal("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data.")
        else:
            if size > _LARGEST_USER_DATA:
                yield Refusal("InvalidParameterValue", f"User data is limited to {_LARGEST_USER_DATA} bytes")
    for mapping in given.get("BlockDeviceMappings", []):
        ebs = mapping.get("Ebs", {})
        size = ebs.get("VolumeSize")
        if size is not None and ebs.get("VolumeType") == "gp3" and not _GP3_GIB[0] <= int(size) <= _GP3_GIB[1]:
            said = (
                f"Volume of {size}GiB is {'too small' if int(size) < _GP3_GIB[0] else 'too large'} for volume type gp3"
            )
            yield Refusal("InvalidParameterValue", said)


def _range_of_addresses(cidr: str) -> Iterator[Refusal]:
    """https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html. The rest of a range moto checks itself."""
    try:
        block = ipaddress.IPv4Network(cidr, strict=False)
    except ValueError:
        return
    if block.is_loopback or block.is_link_local or block.is_multicast or block.is_unspecified:
        yield Refusal("InvalidVpc.Range", f"The CIDR '{cidr}' is invalid.")
