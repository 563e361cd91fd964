"""Which rule each variable of the inventory and the roles has to keep, and everything that breaks one, told at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from chronos_training.control.options import aws_rules as rules
from chronos_training.control.options.inputs import WORD, Role, shown
from chronos_training.control.provision.bucket import Lifecycle

# By the end of an option's name: what every role takes from the inventory.
BY_END: dict[str, rules.Rule] = {
    "env": rules.environment,
    "region": rules.region,
    "project": rules.tag_value,
    "bucket": rules.bucket,
    "bucket_override": lambda value: rules.bucket(value) if value else "",
    "delete_bucket": lambda value: rules.bucket(value) if value else "",
}
BY_NAME: dict[str, rules.Rule] = {
    "training_audit_limit": rules.at_least(1, 20),
    "training_cleanup_check_wait_seconds": rules.at_least(0, 120),
    "training_infrastructure_check_patience_seconds": rules.at_least(0, 30),
    "training_kill_grace_seconds": rules.at_least(0, 180),
    "training_launch_heartbeat_seconds": rules.above_zero(30),
    "training_launch_image_parameter": rules.image_parameter,
    "training_launch_log_seconds": rules.above_zero(10),
    "training_launch_price_per_hour": rules.price,
    "training_launch_volume_gb": rules.volume,
    "training_launch_watch_seconds": rules.above_zero(20),
    "training_monitor_interval": rules.above_zero(30),
    "training_network_cidr": rules.vpc_range,
    "training_probe_wait": rules.at_least(0, 900),
    "training_runs_limit": rules.at_least(1, 20),
    "volatility_api_burst": rules.at_least(1, 100),
    "volatility_api_image": rules.image_digest,
    "volatility_api_key_burst": rules.at_least(1, 20),
    "volatility_api_key_quota": rules.at_least(1, 10_000),
    "volatility_api_key_rate": rules.above_zero(5),
    "volatility_api_log_retention_days": rules.at_least(1, 30),
    "volatility_api_memory_mb": rules.at_least(128, 512),
    "volatility_api_model_version": rules.model_version,
    "volatility_api_rate": rules.above_zero(50),
    "volatility_api_timeout_seconds": rules.at_least(1, 20),
    "volatility_api_weight": rules.share,
    "volatility_alarms_budget_dollars": rules.above_zero(10),
    "volatility_alarms_errors_percent": rules.at_least(0, 1),
    "volatility_alarms_latency_milliseconds": rules.at_least(1, 2000),
    "volatility_alarms_source_lag_sessions": rules.at_least(1, 2),
    "volatility_check_commit": rules.commit,
    "volatility_identity_github_branch": rules.github_branch,
    "volatility_identity_github_environment": rules.github_branch,
    "volatility_identity_github_repository": rules.github_repository,
    "volatility_inputs_api_url_pattern": rules.url_pattern,
    "volatility_images_kept": rules.at_least(1, 10),
    "volatility_pipeline_log_days": rules.at_least(1, 30),
    "volatility_pipeline_memory": rules.at_least(128, 2048),
    "volatility_pipeline_model_version": rules.model_version,
    "volatility_pipeline_source_wait_seconds": rules.at_least(1, 900),
    "volatility_pipeline_timeout": rules.at_least(1, 900),
    "volatility_promote_version": rules.model_version,
    "volatility_rollback_version": rules.model_version,
    "volatility_run_poll_seconds": rules.above_zero(5),
    "volatility_load_test_error_percent": rules.at_least(0, 1),
    "volatility_load_test_p95_milliseconds": rules.at_least(1, 2000),
    "volatility_load_test_seconds": rules.at_least(1, 30),
    "volatility_load_test_users": rules.at_least(1, 4),
    "volatility_plan_api_requests": rules.at_least(0, 10_000),
    "volatility_plan_data_gb": rules.at_least(0, 1),
    "volatility_plan_training_minutes": rules.at_least(0, 15),
    "volatility_storage_abort_multipart_days": rules.at_least(1, 7),
    "volatility_storage_snapshots_expire_days": rules.at_least(1, 400),
}
# Of a list, every value.
EACH: dict[str, rules.Rule] = {
    "training_cleanup_check_regions": rules.region,
    "training_launch_instance_types": rules.instance_type,
    "volatility_alarms_emails": rules.email,
}
# The four that everything is found and paid by (R33). Project and Environment decide what the policies let people end.
TAGS = ("Project", "Environment", "CostCenter", "ManagedBy")
_ONLY = re.compile(rf"\{{\{{\s*({WORD.pattern})\s*(\|[^}}]*)?\}}\}}")


class Given:
    """The values of a play's options, ready to be judged.

    `values`: by option, of the type that it takes; `written`: variables as the person wrote them, templates and all.
    """

    def __init__(self, roles: Iterable[Role], values: Mapping[str, Any], written: Mapping[str, Any]) -> None:
        self.values = values
        self._written = written
        self._options = {name: option for role in roles for name, option in role.options.items()}

    def kind(self, option: str) -> str:
        """Return the type that an option takes."""
        return str(self._options[option].get("type", "str"))

    def name(self, option: str) -> str:
        """Return the variable that a person would change: an option that takes another variable's value is that one."""
        source = self._written.get(option, self._options.get(option, {}).get("default"))
        found = _ONLY.fullmatch(source.strip()) if isinstance(source, str) else None
        return self.name(found[1]) if found and found[1] != option else option

    def tag(self, option: str, key: str) -> str:
        """Return the variable that a tag's value comes from, as `name` does."""
        source = self._written.get(self.name(option))
        template = source.get(key) if isinstance(source, Mapping) else None
        found = _ONLY.fullmatch(template.strip()) if isinstance(template, str) else None
        return self.name(found[1]) if found else f"{self.name(option)}.{key}"


def wrong_values(given: Given) -> list[str]:
    """Return a sentence for each value that AWS would refuse: variable, value, what is right, and an example."""
    told = [*_alone(given), *_tags(given), *_network(given), *_lifecycle(given), *_names(given)]
    return list(dict.fromkeys(told))


def no_text(given: Given, values: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each of the values, as YAML read them, that is none where text is meant."""
    told = [
        _sentence(given.name(option), value, said)
        for option, value in values.items()
        if given.kind(option) == "str" and value is not None and (said := rules.text(value))
    ]
    return list(dict.fromkeys(told))


def rule_of(option: str) -> rules.Rule | None:
    """Return the rule of a single value; None for an option that has none of its own."""
    if option in BY_NAME:
        return BY_NAME[option]
    ends = [end for end in BY_END if option.endswith(f"_{end}")]
    return BY_END[max(ends, key=len)] if ends else None


def _alone(given: Given) -> Iterator[str]:
    for option, value in given.values.items():
        rule = rule_of(option)
        if rule is not None and value is not None and (said := rule(value)):
            yield _sentence(given.name(option), value, said)
        for one in value if option in EACH and isinstance(value, list) else []:
            if said := EACH[option](one):
                yield _sentence(given.name(option), one, said)


def _tags(given: Given) -> Iterator[str]:
    for option, value in given.values.items():
        if not option.endswith("_tags"):
            continue
        name = given.name(option)
        if not isinstance(value, Mapping):
            yield _sentence(name, value, "it must be a mapping of names to values; for example {CostCenter: research}")
            continue
        if said := rules.tag_count(dict(value)):
            yield f"{name}: {said}."
        for key, text in value.items():
            if said := rules.tag_key(key):
                yield _sentence(f"a name in {name}", key, said)
            if said := rules.tag_value(text):
                yield _sentence(given.tag(option, key), text, said)
        yield from (
            f"{name} has no {key}: every resource is tagged with {', '.join(TAGS)}." for key in TAGS if key not in value
        )
        role = option.removesuffix("_tags")
        for key, end in (("Project", "project"), ("Environment", "env")):
            own = given.values.get(f"{role}_{end}")
            if own is not None and key in value and str(value[key]) != str(own):
                whose = given.name(f"{role}_{end}")
                yield _sentence(f"{name}.{key}", value[key], f"it must equal {whose}, {own}: the policies depend on it")


def _network(given: Given) -> Iterator[str]:
    ranges = given.values.get("training_network_subnet_cidrs")
    if ranges is None:
        return
    name = given.name("training_network_subnet_cidrs")
    for value, said in rules.subnet_ranges(ranges, given.values.get("training_network_cidr")):
        yield _sentence(name, value, said)
    if len(ranges) < 2:
        yield f"{name} has {len(ranges)} range: at least two are needed, because GPU capacity runs out by zone."
    zones, region = given.values.get("training_network_zones") or [], given.values.get("training_network_region")
    for zone in zones:
        if region and not rules.region(region) and (said := rules.zone(zone, str(region))):
            yield _sentence(given.name("training_network_zones"), zone, said)
    if zones and len(set(zones)) < len(ranges):
        yield f"training_network_zones has {len(set(zones))} zones for {len(ranges)} ranges: each range needs its own zone."


def _lifecycle(given: Given) -> Iterator[str]:
    names = {f"training_storage_{field}": field for field in Lifecycle.__dataclass_fields__}
    days = {field: given.values[name] for name, field in names.items() if name in given.values}
    if len(days) == len(names):
        yield from Lifecycle.problems(days)


def _names(given: Given) -> Iterator[str]:
    env, region = (str(given.values.get(f"training_context_{name}") or "") for name in ("env", "region"))
    default = env and region and not given.values.get("training_context_bucket_override")
    if default and not rules.environment(env) and (said := rules.default_bucket(env, region)):
        yield _sentence(given.name("training_context_env"), env, said)


def _sentence(name: str, value: Any, said: str) -> str:
    return f"{name} is {_quoted(value)}: {said}."


def _quoted(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else shown(value)
