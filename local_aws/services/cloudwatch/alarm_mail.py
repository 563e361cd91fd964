"""What CloudWatch writes to a topic's e-mail subscribers, who get no JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from local_aws.services.cloudwatch.alarm_actions import State


def text(alarm: Any, before: State, now: State, region: str, region_name: str, account: str) -> str:
    """Return the mail. `region` is what people call it, `region_name` its code."""
    given = alarm.local_aws_given
    moment = now.when.strftime("%A %d %B, %Y %H:%M:%S UTC")
    link = f"https://{region_name}.console.aws.amazon.com/cloudwatch/deeplink.js?region={region_name}#alarmsV2:alarm/{alarm.name}"
    lines = [
        f'You are receiving this email because your Amazon CloudWatch Alarm "{alarm.name}" in the {region} region has entered '
        f'the {now.value} state, because "{now.reason}" at "{moment}".',
        "",
        "View this alarm in the AWS Management Console:",
        link,
        "",
        "Alarm Details:",
        f"- Name:                       {alarm.name}",
        f"- Description:                {given.get('AlarmDescription') or ''}",
        f"- State Change:               {before.value} -> {now.value}",
        f"- Reason for State Change:    {now.reason}",
        f"- Timestamp:                  {moment}",
        f"- AWS Account:                {account}",
        f"- Alarm Arn:                  {alarm.alarm_arn}",
        "",
        *(_of_rule(alarm.rule) if alarm.rule is not None else _of_metric(given)),
        "",
        "State Change Actions:",
        *(
            f"- {title}: {' '.join(f'[{arn}]' for arn in given.get(field) or [])}".rstrip()
            for title, field in (
                ("OK", "OKActions"),
                ("ALARM", "AlarmActions"),
                ("INSUFFICIENT_DATA", "InsufficientDataActions"),
            )
        ),
    ]
    return "\n".join(lines)


def _of_rule(rule: str) -> list[str]:
    return ["Alarm Rule:", f"- {rule}"]


def _of_metric(given: dict[str, Any]) -> list[str]:
    periods = int(given["EvaluationPeriods"])
    least = int(given.get("DatapointsToAlarm") or periods)
    period = given.get("Period") or next(
        (one["MetricStat"]["Period"] for one in given.get("Metrics") or [] if "MetricStat" in one), ""
    )
    lines = [
        "Threshold:",
        f"- The alarm is in the ALARM state when the metric is {given['ComparisonOperator']} {float(given['Threshold'])} for at "
        f"least {least} of the last {periods} period(s) of {period} seconds.",
        "",
    ]
    if given.get("Metrics"):
        return [*lines, "Monitored Metrics:", *(f"- {one['Id']}: {_described(one)}" for one in given["Metrics"])]
    dimensions = ", ".join(f"{one['Name']} = {one['Value']}" for one in given.get("Dimensions") or [])
    return [
        *lines,
        "Monitored Metric:",
        f"- MetricNamespace:                     {given['Namespace']}",
        f"- MetricName:                          {given['MetricName']}",
        f"- Dimensions:                          [{dimensions}]",
        f"- Period:                              {given['Period']} seconds",
        f"- Statistic:                           {given.get('Statistic') or given['ExtendedStatistic']}",
        f"- Unit:                                {given.get('Unit') or 'not specified'}",
        f"- TreatMissingData:                    {given.get('TreatMissingData', 'missing')}",
    ]


def _described(metric: dict[str, Any]) -> str:
    if "Expression" in metric:
        return str(metric["Expression"])
    stat = metric["MetricStat"]
    return f"{stat['Stat']} of {stat['Metric'].get('Namespace', '')} {stat['Metric']['MetricName']}"
