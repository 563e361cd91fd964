"""What Lambda refuses by its documents, and what the embedded AWS does not know of it."""

from __future__ import annotations

from collections.abc import Iterator

from local_aws.strict.rules import Parameters, Refusal, tag_refusals

_INVALID = "InvalidParameterValueException"
# https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html
_LONGEST_TIMEOUT, _MEMORY = 900, (128, 10_240)
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
_MOST_VARIABLES = 4096  # bytes of all names and values
_RESERVED = frozenset(
    [
        "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API", "AWS_REGION", "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT",
    ]
)  # fmt: skip
_NOT_HERE = {
    "CreateCodeSigningConfig": "code signing",
    "CreateEventSourceMapping": "event source mappings",
    "CreateFunctionUrlConfig": "function URLs",
    "InvokeAsync": "InvokeAsync, which is deprecated: use Invoke with InvocationType=Event",
    "InvokeWithResponseStream": "response streams",
    "PublishLayerVersion": "layers: put the packages into the archive, or use an image",
    "PutProvisionedConcurrencyConfig": "provisioned concurrency",
}


def refusals(action: str, given: Parameters) -> Iterator[Refusal]:
    """See local_aws.strict.documented."""
    if action in _NOT_HERE:
        yield Refusal(_INVALID, f"The embedded AWS does not know {_NOT_HERE[action]}.")
    if action not in ("CreateFunction", "UpdateFunctionConfiguration"):
        return
    if given.get("Layers"):
        yield Refusal(_INVALID, f"The embedded AWS does not know {_NOT_HERE['PublishLayerVersion']}.")
    yield from _numbers(given)
    yield from _variables(given.get("Environment", {}).get("Variables", {}))
    runtime = given.get("Runtime", "python3")
    if not runtime.startswith("python3"):
        yield Refusal(_INVALID, f"The embedded AWS runs Python, and not {runtime}: use an image for anything else.")
    if action == "CreateFunction":
        yield from _creation(given)


def _creation(given: Parameters) -> Iterator[Refusal]:
    code, image = given.get("Code", {}), given.get("PackageType") == "Image"
    if image != bool(code.get("ImageUri")):
        yield Refusal(_INVALID, "PackageType Image goes with Code.ImageUri, and Zip with an archive.")
    if not image and not (given.get("Runtime") and given.get("Handler")):
        said = "Runtime and Handler are mandatory parameters for functions created with deployment packages."
        yield Refusal(_INVALID, said)
    if image and (given.get("Runtime") or given.get("Handler")):
        said = "Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image."
        yield Refusal(_INVALID, said)
    tags = [{"Key": key, "Value": value} for key, value in (given.get("Tags") or {}).items()]
    yield from tag_refusals(tags, _INVALID)


def _numbers(given: Parameters) -> Iterator[Refusal]:
    timeout, memory = given.get("Timeout"), given.get("MemorySize")
    if timeout is not None and not 1 <= int(timeout) <= _LONGEST_TIMEOUT:
        yield _violation(timeout, "timeout", f"Member must have value less than or equal to {_LONGEST_TIMEOUT}")
    if memory is not None and not _MEMORY[0] <= int(memory) <= _MEMORY[1]:
        yield Refusal(_INVALID, f"'MemorySize' value failed to satisfy constraint: Member must have value between {_MEMORY[0]} and {_MEMORY[1]}: {memory}")  # fmt: skip


def _variables(variables: dict[str, str]) -> Iterator[Refusal]:
    reserved = sorted(set(variables) & _RESERVED)
    if reserved:
        said = "Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: "  # fmt: skip
        yield Refusal(_INVALID, said + ", ".join(reserved))
    size = sum(len(name.encode()) + len(value.encode()) for name, value in variables.items())
    if size > _MOST_VARIABLES:
        yield Refusal(_INVALID, f"Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit. String measured: {size} bytes")  # fmt: skip


def _violation(value: object, where: str, rule: str) -> Refusal:
    said = f"1 validation error detected: Value '{value}' at '{where}' failed to satisfy constraint: {rule}"
    return Refusal("ValidationException", said)
