"""Types of the configuration's values, and what the families of models need of them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

# `Chronos2Pipeline.predict` refuses a model that lacks one of these levels, even for a horizon that needs no
# unrolling; a model that we publish therefore always learns them beside the levels that the user asks for.
UPSTREAM_LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
# A published model, or one that comes with the package (base_models).
BaseName = Annotated[str, Field(pattern=r"^(builtin:)?[a-z0-9][a-z0-9._-]{0,62}$")]
# A run's id, or the run whose model is the latest of its name when the launch looks.
EARLIER_RUN = r"^(\d{8}-\d{6}|latest)$"
EarlierRun = Annotated[str, Field(pattern=EARLIER_RUN)]
Column = Annotated[str, Field(min_length=1, max_length=200)]
# Strict scalar types: "64" and 64.0 are no whole numbers, and `yes` is no number; a guess would hide a typing slip.
StrictInt = Annotated[int, Field(strict=True)]
StrictFloat = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Quantile = Annotated[StrictFloat, Field(gt=0.0, lt=1.0)]


class Section(BaseModel):
    """A part of the file. An unknown key is an error: a misspelt key that is ignored costs a whole run."""

    model_config = ConfigDict(extra="forbid", frozen=True)
