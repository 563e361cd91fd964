"""The training configuration: one YAML or JSON file, checked completely before anything is created. No torch, no pandas."""

from chronos_training.config.auto import automatic_line, is_resolved, resolve
from chronos_training.config.base_model import adopt
from chronos_training.config.dataset_check import check_against_dataset
from chronos_training.config.device_check import check_device
from chronos_training.config.differences import Difference, differences
from chronos_training.config.initialization import starting_from, with_context, with_initialization
from chronos_training.config.loader import load_config, load_with_origins, repository_config
from chronos_training.config.precision import Precision, planned, precision
from chronos_training.config.schema import TrainingConfig

__all__ = [
    "Difference",
    "Precision",
    "TrainingConfig",
    "adopt",
    "automatic_line",
    "check_against_dataset",
    "check_device",
    "differences",
    "is_resolved",
    "load_config",
    "load_with_origins",
    "planned",
    "precision",
    "repository_config",
    "resolve",
    "starting_from",
    "with_context",
    "with_initialization",
]
