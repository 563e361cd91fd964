"""All that a training, an evaluation or a forecast imports, for the server of warm_process."""

import os

from chronos_training.training.train import LIBRARY_VARIABLES

os.environ.update(LIBRARY_VARIABLES)

import chronos  # noqa: F401
import peft  # noqa: F401
import statsforecast  # noqa: F401

import chronos_training.cli.work
import chronos_training.training.session  # noqa: F401
