"""Everything a launch decides before anything is created: configuration, data, environment, price, limits."""

from __future__ import annotations

import dataclasses
import tempfile
from functools import cached_property
from pathlib import Path
from typing import Any

from chronos_training.config import (
    Difference,
    Precision,
    TrainingConfig,
    adopt,
    check_against_dataset,
    check_device,
    differences,
    load_with_origins,
    planned,
    repository_config,
    resolve,
    with_initialization,
)
from chronos_training.config.fingerprint import Fingerprint
from chronos_training.config.remarks import remarks
from chronos_training.config.size import GB, check_disk, check_memory, in_words, learning_bytes
from chronos_training.control.launch.duration_estimate import DurationEstimate, estimate_duration
from chronos_training.control.launch.image import Image, check_volume, find_image
from chronos_training.control.launch.limits import LEAST_CAPPED_SECONDS, deadline_of, poweroff_minutes, with_limit
from chronos_training.control.launch.lineage import checkpoints_of_run, model_of_run, without_latest
from chronos_training.control.launch.owner import owner
from chronos_training.control.launch.request import LaunchRequest
from chronos_training.control.launch.rerun import check_dataset, check_repeat_alone, earlier_launch
from chronos_training.control.launch.run_instances import zones_of
from chronos_training.control.options.settings import Settings, resolve_settings
from chronos_training.control.publish.published import base_model, current_runtime, dataset_manifest
from chronos_training.core import aws, layout, typed_json
from chronos_training.core.aws_types import S3Client
from chronos_training.core.capacity import gpu_memory_gb, memory_gb, vcpus
from chronos_training.core.clock import duration, iso, utc_now
from chronos_training.core.commands import playbook
from chronos_training.core.cost import REFERENCE_TYPE, HourlyPrice, dearest, hourly_price, request_prices
from chronos_training.core.errors import ConfigurationError
from chronos_training.core.objects import read_bytes
from chronos_training.core.run_spec import (
    BaseModelSpec,
    DatasetSpec,
    ImageSpec,
    InstanceSpec,
    LimitsSpec,
    RunSpec,
    RuntimeSpec,
    SeasonSpec,
)

Json = dict[str, Any]
# What the run spec says about the environment; `image` or `archive` may be None.
_ENVIRONMENT = ("sha256", "key", "size", "unpacked_size", "image", "archive", "python", "torch", "packages")


@dataclasses.dataclass(frozen=True)
class Plan:
    """A launch that has passed every check. `run_spec` is stored as it is; its hash goes into the user data."""

    settings: Settings
    request: LaunchRequest
    prices: dict[str, HourlyPrice]  # by instance type, for each type that is tried
    image: Image
    zones: dict[str, str]  # subnet id -> zone, in the order in which they are tried
    differences: list[Difference]  # from the built-in defaults
    origins: dict[str, str]  # dotted key -> the source that set it last, as the run spec's config_sources name it
    duration_estimate: DurationEstimate | None
    run_spec: RunSpec
    agent: Json
    remarks: list[str]  # settings that are probably a mistake

    @property
    def run_id(self) -> str:
        """Return the run's id."""
        return self.run_spec.run_id

    @property
    def deadline_seconds(self) -> float:
        """Return the seconds from boot to the limit."""
        return self.run_spec.limits.deadline_seconds

    @cached_property
    def config(self) -> TrainingConfig:
        """Return the configuration of the run spec."""
        return TrainingConfig.model_validate(self.run_spec.training)

    @property
    def price(self) -> HourlyPrice:
        """Return the price that the limit and the worst case are computed from: the most expensive type that may be started."""
        return dearest(list(self.prices.values()))

    def instance_run(self) -> Json:
        """Return what the user data passes to the instance (`run.json`)."""
        return {
            "run_id": self.run_id,
            "env": self.request.env,
            "project": self.request.project,
            "bucket": self.settings.bucket,
            "region": self.settings.region,
            "run_spec_key": self.run_spec.key,
            "run_spec_sha256": self.run_spec.sha256,
            "agent_key": self.agent["key"],
            "agent_sha256": self.agent["sha256"],
            "instances": self.run_spec.instance.count,
            "deadline_seconds": self.deadline_seconds,
            "poweroff_minutes": poweroff_minutes(self.deadline_seconds),
            "heartbeat_seconds": self.request.heartbeat_seconds,
            "log_seconds": self.request.log_seconds,
            "watch_seconds": self.request.watch_seconds,
        }

    def order(self) -> Json:
        """Return what crosses to the module that launches, as JSON; see `LaunchSpec.from_params`."""
        return {
            "run_spec": self.run_spec.body().decode(),
            "settings": dataclasses.asdict(self.settings),
            "project": self.request.project,
            "root_device": self.image.root_device,
        }

    @property
    def precisions(self) -> list[Precision]:
        """Return the precisions that the tried types compute in, each one once."""
        return planned(self.config, self.request.device, self.request.instance_types)


def settings_of(request: LaunchRequest) -> Settings:
    """Return what provisioning created, with role and queue of the termination schedules. TrainingError when it is missing."""
    settings = resolve_settings(request.env, region=request.region)
    if not settings.guard_role_arn or not settings.guard_queue_arn:
        raise ConfigurationError(
            f"Environment {request.env} cannot create termination schedules yet (SSM lacks its guard_ parameters).",
            hint=f"Run this first: {playbook(request.env, 'provision_infrastructure')}",
            code="not_provisioned",
        )
    return settings


def make_plan(request: LaunchRequest) -> Plan:
    """Return the checked plan. Raises ConfigurationError, DataError or TrainingError; creates nothing."""
    settings = settings_of(request)
    s3 = aws.client("s3", region=settings.region)
    again = None
    if request.repeat_run:
        check_repeat_alone(request)
        again = earlier_launch(s3, settings.bucket, request.env, request.repeat_run, request.device)
        config, sources = TrainingConfig.model_validate(again.training), [f"the configuration of run {again.run_id}"]
        origins = {one.key: sources[0] for one in differences(config)}
    else:
        config, sources, origins = _load(s3, settings.bucket, request)
        config = without_latest(config, s3, settings.bucket, request.env)
    kind = "autogluon" if config.model.family == "autogluon" else "chronos"
    environment, agent = current_runtime(s3, settings.bucket, request.env, kind)
    manifest = dataset_manifest(s3, settings.bucket, request.env, config.dataset.name)
    base = None
    weights: Json | None = None
    if again is not None:
        check_dataset(again, manifest.digest)
        environment = again.environment
    else:
        config = with_initialization(config, manifest.content)
        if config.model.base is not None:
            weights = base_model(s3, settings.bucket, request.env, config.model.base)
        elif config.model.base_run is not None:
            weights = model_of_run(s3, settings.bucket, request.env, config.model.base_run)
        if weights is not None:
            given, config = config, adopt(config, weights)
            taken = {f"model.{key}" for key, value in config.model if value != getattr(given.model, key)}
            origins = {key: source for key, source in origins.items() if key not in taken}
        # A rerun already has its values.
        longest = weights["settings"].get("context_length") if weights else None
        config = resolve(config, manifest.content, request.device, longest)
    base = again.base_model if again else typed_json.read(BaseModelSpec, weights, "model") if weights else None
    check_against_dataset(config, manifest.content)
    check_device(config, request.device)
    _check_size(config, request)
    _check_build(request.env, request.device, environment)
    resume = None
    if request.resume_run:
        _check_resumable(config)
        fingerprint = Fingerprint(config, manifest.digest, base.digest if base else "")
        resume = checkpoints_of_run(s3, settings.bucket, request.env, request.resume_run, fingerprint)
    prices = {
        kind: hourly_price(kind, request.volume_gb, request.price_per_hour, config.run.instances)
        for kind in request.instance_types
    }
    deadline = _deadline(config, prices)
    changed, capped = differences(config), deadline < config.run.max_runtime_hours * 3600
    # A run that resumes from a checkpoint has less to do than any run before it.
    duration_estimate = (
        None if resume else estimate_duration(s3, settings.bucket, request.env, config, request.instance_types[0])
    )
    config = with_limit(config, deadline)
    image = find_image(request.image_parameter, settings.region)
    check_volume(image, request.volume_gb)
    zones = zones_of(aws.client("ec2", region=settings.region), settings.subnet_ids)
    season = config.season(manifest.content)
    spec = new_run_spec(
        request,
        config,
        environment,
        agent,
        prices,
        image,
        config_sources=tuple(sources),
        dataset=DatasetSpec(
            name=manifest.name,
            manifest_key=layout.dataset_manifest_key(manifest.name),
            digest=manifest.digest,
            files=len(manifest.files),
            bytes=manifest.total_bytes,
            items=manifest.content["items"],
            rows=manifest.content["rows"],
            season=SeasonSpec(season.length, season.reason),
        ),
        base_model=base,
        resume=resume,
        repeats=request.repeat_run,
        limits=LimitsSpec(deadline, config.run.max_cost, capped),
    )
    said = [*remarks(config, manifest.content), *_remarks(config, request, deadline)]
    return Plan(settings, request, prices, image, zones, changed, origins, duration_estimate, spec, agent, said)


def _check_size(config: TrainingConfig, request: LaunchRequest) -> None:
    """Raise ConfigurationError when a type that is tried has too little memory, or the volume too little space, to train the model."""
    check_disk(config, request.volume_gb)
    for kind in request.instance_types:
        on_gpu = request.device == "cuda"
        memory = gpu_memory_gb(kind) if on_gpu else memory_gb(kind)
        if memory is not None:
            check_memory(config, memory, f"a GPU of {kind}" if on_gpu else kind, shared=not on_gpu)


def _remarks(config: TrainingConfig, request: LaunchRequest, deadline: float) -> list[str]:
    said = []
    if deadline < LEAST_CAPPED_SECONDS:
        said.append(
            f"A limit of {duration(deadline)} is short: every run spends some minutes on starting, downloading and storing."
        )
    threads = config.training.cpu_threads
    for kind in request.instance_types:
        cores = vcpus(kind)
        if threads and cores and request.device == "cpu" and threads > cores:
            said.append(
                f"training.cpu_threads is {threads}, but {kind} has only {cores} vCPUs: the threads would wait for each other."
            )
        if (gpu_memory_gb(kind) if request.device == "cuda" else memory_gb(kind)) is None and learning_bytes(
            config
        ) > GB:
            said.append(f"The model has {in_words(config)}; the memory of {kind} is unknown.")
    return said


def new_run_spec(
    request: LaunchRequest,
    config: TrainingConfig,
    environment: Json | None,
    agent: Json,
    prices: dict[str, HourlyPrice],
    image: Image,
    **parts: Any,
) -> RunSpec:
    """Return the run spec of a launch now. `environment` is None where none is published; `parts` are further fields."""
    now, first = utc_now(), prices[request.instance_types[0]]
    return RunSpec(
        run_id=layout.new_run_id(now),
        env=request.env,
        created_at=iso(now),
        launched_by=owner(),
        git_commit=request.git_commit,
        device=request.device,
        training=config.model_dump(mode="json"),
        runtime=RuntimeSpec(
            python_env={k: environment[k] for k in _ENVIRONMENT if k in environment} if environment else None,
            package={k: agent[k] for k in ("sha256", "key", "version")},
            python_env_sha256=environment["sha256"] if environment else None,
            package_sha256=agent["sha256"],
        ),
        instance=InstanceSpec(
            types=request.instance_types,
            type=request.instance_types[0],
            count=config.run.instances,
            market="on-demand",
            image=ImageSpec(image.image_id, image.name),
            volume_gb=request.volume_gb,
            price_per_hour_usd=first.total,
            prices_per_hour_usd={kind: one.parts() for kind, one in prices.items()},
            request_prices_usd=request_prices(request.price_per_hour),
            price_date=first.date,
            reference_type=REFERENCE_TYPE,
            reference_price_per_hour_usd=hourly_price(REFERENCE_TYPE, 100).total,
        ),
        **parts,
    )


def _deadline(config: TrainingConfig, prices: dict[str, HourlyPrice]) -> float:
    price = dearest(list(prices.values()))
    return deadline_of(config, price, next(kind for kind, one in prices.items() if one == price))


def _load(s3: S3Client, bucket: str, request: LaunchRequest) -> tuple[TrainingConfig, list[str], dict[str, str]]:
    """Return the configuration, its sources, and which of them set each key. A source overrides those before it.

    The sources: repository, bucket, the user's own file.
    """
    own = repository_config(request.config)
    paths, sources = [own], [f"training/configs/{own.name}"]
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".yaml", ".yml", ".json"):
            key = f"{request.env}/configs/{request.config}{suffix}"
            body = read_bytes(s3, bucket, key)
            if body is not None:
                path = Path(folder) / Path(key).name
                path.write_bytes(body)
                paths.append(path)
                sources.append(f"s3://{bucket}/{key}")
        if request.config_file:
            given = Path(request.config_file).expanduser()
            if not given.is_file():
                raise ConfigurationError(f"The configuration file {given} does not exist.")
            paths.append(given)
            sources.append(str(given))
        config, origins = load_with_origins(paths)
    named = dict(zip(paths, sources, strict=True))
    return config, sources, {key: named[path] for key, path in origins.items()}


def _check_build(env: str, device: str, environment: Json) -> None:
    if device == "cuda" and "+cpu" in str(environment["torch"]):
        raise ConfigurationError(
            f"training_launch_device is cuda, but the published environment has torch {environment['torch']}, a CPU build.",
            hint="Set training_launch_device=cpu, or publish the runtime with a GPU build of torch: "
            + playbook(env, "publish_runtime", training_runtime_torch="cuda"),
        )


def _check_resumable(config: TrainingConfig) -> None:
    if config.model.family == "autogluon":
        raise ConfigurationError(
            "training_launch_resume_run: AutoGluon leaves no checkpoints to resume from.",
            hint="Start from a finished run's fine-tuned Chronos model (model.base_run), or launch a new run.",
        )
