"""Training by AutoGluon. Imported only when model.family is autogluon: its environment is one of its own."""

from chronos_training.core.errors import ConfigurationError

try:
    import autogluon.timeseries  # noqa: F401
except ModuleNotFoundError as error:
    if not (error.name or "").startswith("autogluon"):
        raise
    raise ConfigurationError(
        "model.family is autogluon, but AutoGluon is not installed in this environment.",
        hint="Install the extra `autogluon` of this package; for instances, publish the runtime with training_runtime_kind=autogluon.",
    ) from None
