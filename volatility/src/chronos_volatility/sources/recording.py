"""Answers of live sources kept as files, and replayed: a run that can be repeated exactly, and without a network."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd

from chronos_volatility.sources.base import COLUMNS, Answer, Source, SourceError
from chronos_volatility.sources.files import PriceFile


class Recording:
    """The source `recording`: a folder with a file for each symbol, as `Recorder` writes it."""

    name, live, explicit = "recording", False, False

    def __init__(self, folder: Path) -> None:
        """`folder` has files such as SPY.csv."""
        self._folder = folder

    def has(self, symbol: str) -> bool:
        """See `Source.has`."""
        return _file(self._folder, symbol).is_file()

    def fetch(self, symbol: str, first: pd.Timestamp, last: pd.Timestamp) -> Answer:
        """See `Source.fetch`."""
        frame = PriceFile(_file(self._folder, symbol), symbol).answer.frame
        missing = set(COLUMNS) - set(frame)
        if missing:
            raise SourceError(
                f"{_file(self._folder, symbol)} is not a recording: it has no {', '.join(sorted(missing))}."
            )
        return Answer(frame[(frame["date"] >= first) & (frame["date"] <= last)])


class Recorder:
    """A source whose answers are kept. A later answer replaces what it also has, and adds what is new."""

    def __init__(self, source: Source, folder: Path) -> None:
        """Answers of `source` go to `folder`."""
        self._source, self._folder = source, folder
        self.name, self.live, self.explicit = source.name, source.live, source.explicit

    def has(self, symbol: str) -> bool:
        """See `Source.has`."""
        return self._source.has(symbol)

    def fetch(self, symbol: str, first: pd.Timestamp, last: pd.Timestamp) -> Answer:
        """See `Source.fetch`."""
        answer = self._source.fetch(symbol, first, last)
        path, frame = _file(self._folder, symbol), answer.frame
        if path.is_file():
            before = PriceFile(path, symbol).answer.frame
            frame = pd.concat([before[~before["date"].isin(frame["date"])], frame]).sort_values("date")
        text = io.StringIO()
        frame[list(COLUMNS)].to_csv(text, index=False, date_format="%Y-%m-%d")
        self._folder.mkdir(parents=True, exist_ok=True)
        path.write_text(text.getvalue(), encoding="utf-8")
        return answer


def _file(folder: Path, symbol: str) -> Path:
    return folder / f"{symbol}.csv"
