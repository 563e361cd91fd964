"""Secrets of a container: values of Secrets Manager and of the parameter store, fetched with the execution role.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
"""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from local_aws.services.aws import Aws
from local_aws.services.ecs.errors import TaskFailed

_BEGIN = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed"


def value_of(aws: Aws, source: str, credentials: dict[str, str], region: str) -> str:
    """Return the value of a `valueFrom`. TaskFailed with ECS's sentence."""
    kind = "secrets manager" if ":secretsmanager:" in source else "ssm"
    try:
        return _secret(aws, source, credentials) if kind != "ssm" else _parameter(aws, source, credentials, region)
    except ClientError as error:
        said = f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
        short = "asm" if kind != "ssm" else "ssm"
        raise TaskFailed(
            f"{_BEGIN}: unable to retrieve secret from {short}: service call has been retried 1 time(s): failed to fetch "
            f"secret {source} from {kind}: {said}"
        ) from error


def _secret(aws: Aws, source: str, credentials: dict[str, str]) -> str:
    """`arn:…:secret:NAME-suffix:json-key:version-stage:version-id`, of which the last three may be missing or empty."""
    parts = source.split(":")
    key, stage, version = [*parts[7:10], "", "", ""][:3]
    asked: dict[str, Any] = {"SecretId": ":".join(parts[:7])}
    asked |= {"VersionStage": stage} if stage else {}
    asked |= {"VersionId": version} if version else {}
    answer = aws.client("secretsmanager", credentials, parts[3]).get_secret_value(**asked)
    text = answer.get("SecretString")
    if text is None:
        raise TaskFailed(f"{_BEGIN}: secret {asked['SecretId']} is binary, and only text can be in a variable")
    if not key:
        return str(text)
    try:
        value = json.loads(text)[key]
    except (ValueError, KeyError, TypeError) as error:
        said = f"retrieved secret from Secrets Manager did not contain json key {key}"
        raise TaskFailed(f"{_BEGIN}: unable to retrieve secret from asm: {said}") from error
    return value if isinstance(value, str) else json.dumps(value)


def _parameter(aws: Aws, source: str, credentials: dict[str, str], region: str) -> str:
    """`arn:…:parameter/NAME`, or NAME alone for one in the task's region."""
    name = source
    if source.startswith("arn:"):
        region, name = source.split(":")[3], source.partition(":parameter")[2]
        name = name if name.count("/") > 1 else name.removeprefix("/")
    ssm = aws.client("ssm", credentials, region)
    answer = ssm.get_parameters(Names=[name], WithDecryption=True)
    if not answer["Parameters"]:
        raise TaskFailed(
            f"{_BEGIN}: unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid ssm parameters: "
            f"{name}"
        )
    return str(answer["Parameters"][0]["Value"])
