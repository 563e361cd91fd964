"""Which function a call means: names, ARNs, versions and aliases, and what is needed to run one.

https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_RequestParameters
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import Any

from moto.awslambda.models import LambdaBackend, lambda_backends

from local_aws.iam.principals import ACCOUNT

LATEST = "$LATEST"
_NAMED = re.compile(
    r"(?:arn:aws:lambda:(?P<region>[a-z0-9-]+):)?(?:(?P<account>\d{12}):)?(?:function:)?"
    r"(?P<name>[a-zA-Z0-9_-]+)(?::(?P<qualifier>\$LATEST|[a-zA-Z0-9_-]+))?"
)


@dataclass(frozen=True)
class FunctionName:
    """A function as a caller names it: `f`, `f:live`, `123456789012:function:f` or an ARN, with Qualifier beside it."""

    region: str
    name: str
    qualifier: str = ""

    @property
    def arn(self) -> str:
        """The ARN as it was named: with the qualifier, if there was one."""
        suffix = f":{self.qualifier}" if self.qualifier else ""
        return f"arn:aws:lambda:{self.region}:{ACCOUNT}:function:{self.name}{suffix}"

    @property
    def unqualified(self) -> str:
        """The ARN of the function itself."""
        return FunctionName(self.region, self.name).arn


def function_name(given: str, region: str, qualifier: str = "") -> FunctionName:
    """Return what `given` names. ValueError when it is no name of a function, or names a second qualifier."""
    found = _NAMED.fullmatch(given)
    if found is None:
        raise ValueError(f"{given} is no name of a function")
    own = found["qualifier"] or ""
    if own and qualifier and own != qualifier:
        raise ValueError("The derived qualifier from the function name does not match the specified qualifier.")
    return FunctionName(found["region"] or region, found["name"], own or qualifier)


@dataclass(frozen=True)
class Function:
    """One version of a function as it is at this moment: everything that its environments depend on."""

    region: str
    name: str
    version: str  # $LATEST or a number
    revision: str  # changes with every update: older environments are not used any more
    role: str
    handler: str
    runtime: str
    memory: int  # MiB
    timeout: int  # seconds
    variables: tuple[tuple[str, str], ...]
    storage: int  # MiB of /tmp
    image: str  # its URI with the digest; empty for a zip
    image_config: tuple[tuple[str, ...], tuple[str, ...], str]  # entry point, command, working directory
    code_sha: str
    log_format: str  # Text or JSON
    log_level: str  # of the function's own records, in JSON
    log_group: str
    reserved: int | None  # concurrency

    @property
    def unqualified(self) -> str:
        """The ARN of the function."""
        return f"arn:aws:lambda:{self.region}:{ACCOUNT}:function:{self.name}"

    @property
    def arn(self) -> str:
        """The ARN of this version."""
        return f"{self.unqualified}:{self.version}"


class NoSuchFunction(Exception):
    """`args[0]` is the ARN that names nothing."""


def backend(region: str) -> LambdaBackend:
    """Return moto's Lambda of a region."""
    return lambda_backends[ACCOUNT][region]


def find(named: FunctionName) -> Function:
    """Return the version that an invocation of `named` runs: of an alias, one of its two by their weights. Hold the lock."""
    stored = backend(named.region)._lambdas
    group = stored._functions.get(named.name)
    if group is None or group["latest"] is None:
        raise NoSuchFunction(named.arn)
    version = named.qualifier or LATEST
    alias = stored._get_function_aliases(named.name).get(version)
    if alias is not None:
        version = _chosen(alias)
    if version == LATEST:
        return _function(group["latest"], group["latest"], LATEST)
    for published in group["versions"]:
        if str(published.version) == version:
            return _function(published, group["latest"], version)
    raise NoSuchFunction(named.arn)


def _chosen(alias: Any) -> str:
    """https://docs.aws.amazon.com/lambda/latest/dg/configuring-alias-routing.html."""
    weights = (alias.routing_config or {}).get("AdditionalVersionWeights") or {}
    drawn = random.random()
    for version, weight in weights.items():
        drawn -= weight
        if drawn < 0:
            return str(version)
    return str(alias.function_version)


def _function(moto: Any, latest: Any, version: str) -> Function:
    logging = getattr(moto, "local_aws_logging", {})
    image = moto.image_config
    return Function(
        region=moto.region,
        name=moto.function_name,
        version=version,
        revision=getattr(moto, "local_aws_revision", ""),
        role=moto.role,
        handler=moto.handler or "",
        runtime=moto.run_time or "",
        memory=int(moto.memory_size),
        timeout=int(moto.timeout),
        variables=tuple(sorted((moto.environment_vars or {}).items())),
        storage=int(moto.ephemeral_storage),
        image=getattr(moto, "local_aws_image", "") if moto.package_type == "Image" else "",
        image_config=(tuple(image.entry_point or ()), tuple(image.cmd or ()), image.working_directory or ""),
        code_sha=moto.code_sha_256,
        log_format=logging.get("LogFormat", "Text"),
        log_level=logging.get("ApplicationLogLevel", ""),
        log_group=logging.get("LogGroup") or f"/aws/lambda/{moto.function_name}",
        reserved=None if latest.reserved_concurrency is None else int(latest.reserved_concurrency),
    )
