"""docs/volatility.md word for word, on the bundled prices: its steps end in a report, and it says what the program does."""

import re
import shlex
from pathlib import Path

from chronos_volatility.cli import STEPS, main
from chronos_volatility.gate import canary, rules
from chronos_volatility.models.specifications import CANDIDATES
from chronos_volatility.tables import TABLES

PAGE = (Path(__file__).resolve().parents[2] / "docs/volatility.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^sh tools/volatility\.sh (.*)$", PAGE, re.MULTILINE)


def test_the_steps_of_the_page_end_in_a_report(tmp_path, capsys):
    assert [line.split()[0] for line in COMMANDS] == [
        *[step for step in STEPS if step not in {"report", "check"}],
        "check",
        "report",
    ]
    for line in COMMANDS:
        words = shlex.split(line.replace("results/mine", str(tmp_path / "mine")))
        # Two candidates and the years since 2008 are a part of the page's minute.
        words += {"ingest": ["--first", "2008-01-02"], "train": ["--candidate", "log-har-x"]}.get(words[0], [])
        assert main(words) == 0, capsys.readouterr()
    said = capsys.readouterr().out
    assert "promote: log-har-x-" in said and "Nothing is wrong." in said
    assert "better than the volatility of the last 20 sessions" in (tmp_path / "mine.html").read_text(encoding="utf-8")


def test_the_page_names_every_table_model_and_threshold():
    for name in (*TABLES, *(one.name for one in CANDIDATES)):
        assert f"`{name}`" in PAGE, name
    for words in (
        f"at least {rules.LEAST_SESSIONS:,} sessions",
        f"QLIKE at least {rules.BENCHMARK_GAIN:.0%} better than scaled RV20".replace("%", " %"),
        f"QLIKE at least {rules.FALLBACK_GAIN:.0%} better than `log-har`".replace("%", " %"),
        f"QLIKE at least {rules.CHALLENGER_GAIN:.0%} better than the champion's, t above {rules.CHALLENGER_T}".replace(
            "%", " %"
        ),
        f"not more than {rules.REFIT_LOSS:.0%} worse over the last {rules.RECENT} sessions".replace("%", " %"),
        f"the last {canary.SESSIONS} sessions",
    ):
        assert words in PAGE, words
