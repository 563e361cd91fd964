"""What a table promises, and how a breach is told: the table, the column, the rows and the rule, in one sentence."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa
from pandera.errors import SchemaError, SchemaErrorReason, SchemaErrors

from chronos_training.core.errors import DataError

ROWS_NAMED = 3
RULES_NAMED = 3


@dataclass(frozen=True)
class Rule:
    """A rule about more than one value. `words` says what is wrong where `holds` is False, `hint` what can be done."""

    words: str
    columns: tuple[str, ...]
    holds: Callable[[pd.DataFrame], pd.Series]
    hint: str = ""


@dataclass(frozen=True)
class Contract:
    """One table. Rows are unique in `key` and sorted by it; `types` are the columns as Parquet has them."""

    name: str
    key: tuple[str, ...]
    types: dict[str, pa.DataType]
    columns: dict[str, pandera.Column]
    rules: tuple[Rule, ...] = ()
    unhashed: frozenset[str] = frozenset()
    """Columns that may differ although the content is the same, such as the time of fetching."""
    further: Callable[[], pandera.Column] | None = None
    """Makes the promise of every column that is not in `columns`; None where there may be none."""
    schema: pandera.DataFrameSchema = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make the schema of the named columns."""
        object.__setattr__(self, "schema", self._schema(self.columns))

    def validate(self, frame: pd.DataFrame, *, after: str) -> pd.DataFrame:
        """Return `frame` sorted by its key, with the columns in the contract's order. DataError names each breach.

        `after` says what follows of a breach, as "nothing was written".
        """
        schema = self.schema
        if self.further is not None:
            others = [name for name in frame.columns if name not in self.columns]
            schema = self._schema({**self.columns, **{name: self.further() for name in others}})
        frame = _nanoseconds(frame.reset_index(drop=True))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # pandera's own way of joining what failed
                if len(frame) or set(frame.columns) != set(schema.columns):  # without rows, columns are all there is
                    schema.validate(frame, lazy=True)
        except SchemaErrors as errors:
            broken = {str(getattr(one.check, "error", "")) for one in errors.schema_errors}
            hints = [rule.hint for rule in self.rules if rule.words in broken and rule.hint]
            sentence = f"{self.name}: {after}: {self._sentence(frame, errors.schema_errors)}."
            raise DataError(sentence, hint=" ".join(hints)) from errors
        order = [name for name in schema.columns if name in frame.columns]
        return frame[order].sort_values(list(self.key), ignore_index=True)

    def label(self, frame: pd.DataFrame, row: Any) -> str:
        """Return how a person names the row with this index: by its key, as "2018-12-07 SPX"."""
        return name_of(frame.loc[row, [name for name in self.key if name in frame.columns]])

    def _schema(self, columns: dict[str, pandera.Column]) -> pandera.DataFrameSchema:
        checks = [pandera.Check(rule.holds, name=rule.words, error=rule.words) for rule in self.rules]
        return pandera.DataFrameSchema(columns, checks=checks, strict=True, unique=list(self.key), name=self.name)

    def _sentence(self, frame: pd.DataFrame, errors: list[SchemaError]) -> str:
        # A check that fell over an absent or mistyped column is told by the error about that column.
        told = [one for one in errors if one.reason_code is not SchemaErrorReason.CHECK_ERROR] or errors
        parts = [self._breach(frame, one) for one in told[:RULES_NAMED]]
        more = len(told) - len(parts)
        return "; ".join(parts) + (f"; and {more} more" if more > 0 else "")

    def _breach(self, frame: pd.DataFrame, error: SchemaError) -> str:
        column = getattr(error, "column_name", None) or getattr(error.schema, "name", None)
        reason = error.reason_code
        if reason is SchemaErrorReason.COLUMN_NOT_IN_DATAFRAME:
            return f"column {error.failure_cases} is missing"
        if reason is SchemaErrorReason.COLUMN_NOT_IN_SCHEMA:
            return f"column {error.failure_cases} is not in the contract"
        if reason is SchemaErrorReason.WRONG_DATATYPE:
            wanted = str(error.check).removeprefix("dtype('").removesuffix("')")
            return f"column {column} is of type {frame[column].dtype}, not {wanted}"
        rows = self._rows(frame, error)
        if reason is SchemaErrorReason.DUPLICATES:
            return f"columns {', '.join(self.key)}, {rows}: there twice"
        if reason is SchemaErrorReason.SERIES_CONTAINS_NULLS:
            return f"column {column}, {rows}: is null"
        words = str(getattr(error.check, "error", None) or error.check)
        rule = next((one for one in self.rules if one.words == words), None)
        names = f"columns {', '.join(rule.columns)}" if rule else f"column {column}"
        return f"{names}, {rows}: {words}"

    def _rows(self, frame: pd.DataFrame, error: SchemaError) -> str:
        cases = error.failure_cases
        if not isinstance(cases, pd.DataFrame) or "index" not in cases or cases["index"].isna().all():
            return "all rows"
        indexes = sorted(cases["index"].dropna().unique())
        return name_rows([self.label(frame, row) for row in indexes])


def _nanoseconds(frame: pd.DataFrame) -> pd.DataFrame:
    """Return `frame` with all times in nanoseconds: pandas makes seconds of some, and means the same by them."""
    for name in frame.columns[[value.kind == "M" for value in frame.dtypes]]:
        if frame[name].dt.unit != "ns":
            frame = frame.assign(**{name: frame[name].dt.as_unit("ns")})
    return frame


def name_of(values: pd.Series) -> str:
    """Return the values of a key as a person writes them."""
    return " ".join(f"{one:%Y-%m-%d}" if isinstance(one, pd.Timestamp) else str(one) for one in values)


def name_rows(labels: list[str]) -> str:
    """Return how a sentence names these rows: the first few, and how many more there are."""
    named = ", ".join(labels[:ROWS_NAMED])
    more = len(labels) - ROWS_NAMED
    return f"row{'s' if len(labels) > 1 else ''} {named}" + (f" and {more} more" if more > 0 else "")


def number(*checks: pandera.Check, nullable: bool = False) -> pandera.Column:
    """Return the promise of a float64 column: finite, and what `checks` ask for."""
    finite = pandera.Check(lambda values: np.isfinite(values), error="is not finite")
    return pandera.Column("float64", [finite, *checks], nullable=nullable)


def word() -> pandera.Column:
    """Return the promise of a column of text that is not empty."""
    return pandera.Column(str, pandera.Check(lambda values: values.str.len() > 0, error="is empty"))
