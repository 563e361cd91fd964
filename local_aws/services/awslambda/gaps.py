"""What moto's Lambda does otherwise than AWS, beside what has a file of its own (policies, invoke_config, states)."""

from __future__ import annotations

import copy
import io
import uuid
import zipfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from moto.awslambda.exceptions import InvalidParameterValueException, PreconditionFailedException
from moto.awslambda.models import ImageConfig, LambdaBackend, LambdaFunction, LambdaStorage, _s3_content
from moto.core.utils import iso_8601_datetime_with_nanoseconds
from moto.s3.models import s3_backends

from local_aws.iam.principals import ACCOUNT, find_role, service_may_assume
from local_aws.services.awslambda import invoke_config, policies, states
from local_aws.services.awslambda.functions import LATEST, function_name
from local_aws.services.awslambda.roles import PRINCIPAL
from local_aws.services.patching import replace

if TYPE_CHECKING:
    from local_aws.services.awslambda.invocations import Invocations

_NO_KEY = (
    "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist."
)


def close_gaps(resolve_image: Callable[[str, str], tuple[str, int]], deleted: Callable[[str], None]) -> None:
    """Patch moto. `resolve_image` returns digest and size of an image; `deleted` hears the ARN of each deleted function."""
    _functions(resolve_image)
    _creation_and_deletion(deleted)
    _versions()
    _aliases()


def _functions(resolve_image: Callable[[str, str], tuple[str, int]]) -> None:
    init, configuration, code = LambdaFunction.__init__, LambdaFunction.get_configuration, LambdaFunction.get_code
    update_configuration, set_code = LambdaFunction.update_configuration, LambdaFunction._set_function_code

    def create(self: LambdaFunction, account_id: str, spec: dict[str, Any], region: str, version: Any = 1) -> None:
        _check_role(spec["Role"])
        init(self, account_id, spec, region, version)
        _take(self, spec)
        _touch(self)
        states.created(self)

    def get_configuration(self: LambdaFunction, on_create: bool = False) -> dict[str, Any]:
        """RevisionId, the states, and three members that moto forgets."""
        said = configuration(self, on_create)
        dead_letter = getattr(self, "local_aws_dead_letter", "")
        return {
            **said,
            **states.describe(self),
            "RevisionId": self.local_aws_revision,
            "LoggingConfig": {
                "LogFormat": "Text",
                "LogGroup": f"/aws/lambda/{self.function_name}",
                **self.local_aws_logging,
            },
            **({"DeadLetterConfig": {"TargetArn": dead_letter}} if dead_letter else {}),
        }

    def update(self: LambdaFunction, config_updates: dict[str, Any]) -> dict[str, Any]:
        states.check_changeable(self)
        _check_revision(self, config_updates)
        if config_updates.get("Role"):
            _check_role(config_updates["Role"])
        if "EphemeralStorage" in config_updates:
            self.ephemeral_storage = config_updates["EphemeralStorage"]["Size"]
        if "ImageConfig" in config_updates:
            self.image_config = ImageConfig(config_updates["ImageConfig"])
        if "TracingConfig" in config_updates:
            self.tracing_config = config_updates["TracingConfig"]
        _take(self, config_updates)
        if config_updates.get("Environment") == {}:  # of which moto makes a KeyError
            config_updates = {**config_updates, "Environment": {"Variables": {}}}
        update_configuration(self, config_updates)
        _touch(self)
        states.updated(self)
        return self.get_configuration()

    def set_function_code(self: LambdaFunction, updated_spec: dict[str, Any]) -> None:
        """Code that is refused leaves the function as it was."""
        before = {**self.__dict__, "code": dict(self.code)}
        try:
            take_code(self, updated_spec)
        except Exception as error:
            self.__dict__.update(before)
            if isinstance(error, ValueError):  # moto's, for a bucket or an object that is not there
                raise InvalidParameterValueException(str(error.args[-1])) from None
            raise

    def take_code(self: LambdaFunction, updated_spec: dict[str, Any]) -> None:
        archive = updated_spec.get("ZipFile")
        set_code(self, updated_spec)
        if updated_spec.get("S3Key") and not updated_spec.get("DryRun") and not self.code_bytes:
            raise InvalidParameterValueException(_NO_KEY)
        if updated_spec.get("S3ObjectVersion") and not updated_spec.get("DryRun"):
            _take_version(self, updated_spec)
        if (archive or updated_spec.get("S3Key")) and not updated_spec.get("DryRun"):
            _check_archive(self.code_bytes)
        image = updated_spec.get("ImageUri")
        if image:
            digest, self.code_size = resolve_image(image, self.region)
            self.code_sha_256 = digest.removeprefix("sha256:")
            repository = image.partition("@")[0]
            last = repository.rpartition("/")[2].partition(":")[0]  # without the tag; a registry's port has a : too
            self.local_aws_image = f"{repository.rpartition('/')[0]}/{last}@{digest}"

    def get_code(self: LambdaFunction) -> dict[str, Any]:
        """moto takes a registry's port for a tag."""
        said = code(self)
        if "ImageUri" in self.code:
            said["Code"]["ResolvedImageUri"] = self.local_aws_image
        return said

    LambdaFunction.__init__ = create
    replace(
        LambdaFunction,
        get_code=get_code,
        get_configuration=get_configuration,
        update_configuration=update,
        _set_function_code=set_function_code,
    )
    replace(LambdaBackend, update_function_code=_update_code)


def _update_code(self: LambdaBackend, function_name: str, qualifier: str, body: dict[str, Any]) -> dict[str, Any]:
    """moto sets the code once more after it was published, on the version."""
    function = self.get_function(function_name, qualifier)
    states.check_changeable(function)
    _check_revision(function, body)
    if body.get("DryRun"):
        trial = copy.copy(function)
        trial.code = dict(function.code)
        trial._set_function_code({**body, "DryRun": False})
        return trial.get_configuration()
    function.update_function_code(body)
    _touch(function)
    if body.get("Publish"):
        version = self.publish_version(function_name)
        states.updated(function)
        return version.get_configuration()  # type: ignore[union-attr]
    states.updated(function)
    return function.get_configuration()


def _creation_and_deletion(deleted: Callable[[str], None]) -> None:
    create, delete = LambdaBackend.create_function, LambdaBackend.delete_function

    def create_function(self: LambdaBackend, spec: dict[str, Any]) -> LambdaFunction:
        """With Publish the answer is the version; moto leaves the function's own ARN in it."""
        function = create(self, spec)
        return self.get_function(function.function_name, str(function.version)) if spec.get("Publish") else function

    def delete_function(self: LambdaBackend, function_name_or_arn: str, qualifier: str | None = None) -> None:
        named = function_name(function_name_or_arn, self.region_name, qualifier or "")
        if named.qualifier == LATEST:
            raise InvalidParameterValueException(f"{LATEST} version cannot be deleted without deleting the function.")
        aliases = self._lambdas._get_function_aliases(named.name) if named.name in self._lambdas._functions else {}
        using = [alias for alias in aliases.values() if named.qualifier and named.qualifier in _versions_of(alias)]
        if using:
            pointing = ", ".join(alias.name for alias in using)
            raise states.Conflict(f"Version {named.qualifier} is used by the alias {pointing}.")
        delete(self, named.name, named.qualifier or None)
        policies.forget(named)
        invoke_config.forget(named)
        if not named.qualifier:
            deleted(named.unqualified)

    replace(LambdaBackend, create_function=create_function, delete_function=delete_function)


def _versions() -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html."""

    def publish_version(self: LambdaStorage, name_or_arn: str, description: str = "") -> LambdaFunction:
        latest = self.get_function_by_name_or_arn_forbid_qualifier(name_or_arn)
        states.check_publishable(latest)
        versions = self._functions[latest.function_name]["versions"]
        if versions and versions[-1].local_aws_of == latest.local_aws_revision:
            return versions[-1]  # nothing has changed
        # A number is not given again after its version was deleted.
        latest.local_aws_published = getattr(latest, "local_aws_published", 0) + 1
        made = copy.copy(latest)
        made.set_version(latest.local_aws_published)
        made.description = description or latest.description
        made.local_aws_of = latest.local_aws_revision
        made.local_aws_revision = str(uuid.uuid4())
        versions.append(made)
        self._arns[made.function_arn] = made
        return made

    replace(LambdaStorage, publish_version=publish_version)


def _aliases() -> None:
    put, change = LambdaStorage.put_alias, LambdaStorage.update_alias

    def put_alias(self: LambdaStorage, name: str, function_name: str, function_version: str, description: str, routing_config: Any) -> Any:  # fmt: skip
        _check_routing(self, function_name, function_version, routing_config)
        return put(self, name, function_name, function_version, description or "", routing_config)

    def update_alias(self: LambdaStorage, name: str, function_name: str, function_version: str, description: str, routing_config: Any) -> Any:  # fmt: skip
        version = function_version or self.get_alias(name, function_name).function_version
        _check_routing(self, function_name, version, routing_config)
        alias = change(self, name, function_name, version, description, routing_config)
        alias.revision_id = str(uuid.uuid4())
        return alias

    replace(LambdaStorage, put_alias=put_alias, update_alias=update_alias)


def _check_routing(self: LambdaStorage, name: str, version: str, routing: Any) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/configuring-alias-routing.html, Considerations."""
    weights = (routing or {}).get("AdditionalVersionWeights") or {}
    if len(weights) > 1:
        raise InvalidParameterValueException("Number of items in AdditionalVersionWeights cannot be greater than 1")
    for other, weight in weights.items():
        if LATEST in (other, version):
            raise InvalidParameterValueException(
                f"{LATEST} is not supported for an alias pointing to more than 1 version"
            )
        if other == version:
            raise InvalidParameterValueException(f"Invalid function version {other}. Function version {other} is already included in routing configuration.")  # fmt: skip
        if not 0.0 <= float(weight) <= 1.0:
            raise InvalidParameterValueException(f"Weight {weight} is not between 0 and 1.")
        self.get_function_by_name_or_arn_with_qualifier(name, other)  # raises when there is none


def _versions_of(alias: Any) -> set[str]:
    weights = (alias.routing_config or {}).get("AdditionalVersionWeights") or {}
    return {str(alias.function_version), *weights}


def _take(moto: LambdaFunction, given: dict[str, Any]) -> None:
    """Keep what moto drops."""
    if "DeadLetterConfig" in given or not hasattr(moto, "local_aws_dead_letter"):
        moto.local_aws_dead_letter = (given.get("DeadLetterConfig") or {}).get("TargetArn", "")
    if "LoggingConfig" in given or not hasattr(moto, "local_aws_logging"):
        moto.local_aws_logging = dict(given.get("LoggingConfig") or {})


def _touch(moto: LambdaFunction) -> None:
    moto.local_aws_revision = str(uuid.uuid4())
    moto.last_modified = iso_8601_datetime_with_nanoseconds()


def _check_revision(moto: LambdaFunction, given: dict[str, Any]) -> None:
    if given.get("RevisionId") and given["RevisionId"] != moto.local_aws_revision:
        raise PreconditionFailedException(
            "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id"
        )


def _check_role(arn: str) -> None:
    """moto looks whether there is such a role, AWS whether it trusts Lambda."""
    role = find_role(arn)
    if role is not None and not service_may_assume(role, PRINCIPAL, {"aws:sourceaccount": ACCOUNT}):
        raise InvalidParameterValueException("The role defined for the function cannot be assumed by Lambda.")


def _take_version(moto: LambdaFunction, given: dict[str, Any]) -> None:
    """moto takes the newest."""
    where = (given["S3Bucket"], given["S3Key"])
    found = s3_backends[moto.account_id][moto.partition].get_object(*where, version_id=given["S3ObjectVersion"])
    if found is None:
        raise InvalidParameterValueException(
            "Error occurred while GetObject. S3 Error Code: NoSuchVersion. S3 Error Message: The specified version does "
            "not exist."
        )
    moto.code_bytes, moto.code_size, moto.code_sha_256, moto.code_digest = _s3_content(found)


def _check_archive(archive: bytes) -> None:
    if not zipfile.is_zipfile(io.BytesIO(archive)):
        raise InvalidParameterValueException(
            "Could not unzip uploaded file. Please check your file, then try to upload again."
        )


def invoke_without_docker(invocations: Invocations) -> None:
    """Where moto itself calls a function (a subscription of logs, for example), it would start docker, with the lock held."""

    def invoke(self: LambdaFunction, body: Any, request_headers: Any, response_headers: Any) -> bytes:
        named = function_name(self.function_arn, self.region)
        payload = body if isinstance(body, bytes) else str(body or "{}").encode()
        assert invocations.queue is not None
        invocations.queue.add(named, payload, str(uuid.uuid4()))
        return b""

    replace(LambdaFunction, invoke=invoke)
