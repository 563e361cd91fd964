"""What CloudWatch Logs refuses by its documents."""

from __future__ import annotations

from collections.abc import Iterator

from local_aws.strict.rules import Parameters, Refusal

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
_RETENTIONS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)


def refusals(action: str, given: Parameters) -> Iterator[Refusal]:
    """See local_aws.strict.documented."""
    if action == "PutRetentionPolicy" and int(given["retentionInDays"]) not in _RETENTIONS:
        values = ", ".join(map(str, _RETENTIONS))
        yield Refusal(
            "InvalidParameterException",
            f"1 validation error detected: Value '{given['retentionInDays']}' at 'retentionInDays' failed to satisfy "
            f"constraint: Member must satisfy enum value set: [{values}]",
        )
    # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html
    if action == "CreateLogGroup" and given["logGroupName"].startswith("aws/"):
        yield Refusal("InvalidParameterException", "Log groups starting with AWS/ are reserved for AWS.")
    if action == "StartQuery":
        yield Refusal("InvalidParameterException", "The embedded AWS does not know queries of Logs Insights.")
