"""The training process: `python -m chronos_training.training.train --spec run_spec.json --data DIR --output DIR`.

Exit codes: 0 done; 2 a configuration or data error (last line `ERROR: <sentence>`, no traceback); 143 ended by SIGTERM
with a checkpoint on disk; 1 anything else (traceback, then an `ERROR:` line).
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
import traceback
from pathlib import Path

from chronos_training.core.child_process import die_with_parent
from chronos_training.core.errors import TrainingError
from chronos_training.core.rendezvous import Rendezvous
from chronos_training.training import ready, several
from chronos_training.training.program import run_program
from chronos_training.training.progress import Progress
from chronos_training.training.stopping import Stopped, StopRequest

# Set before torch and transformers are imported: no hub, no idle threads that spin (a busy 2-core machine took 237 s
# for a fit of 9 s), no progress bars in the log.
LIBRARY_VARIABLES = {
    "HF_HUB_OFFLINE": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",
}


def main(arguments: list[str] | None = None) -> int:
    """Run the process and return its exit code."""
    parser = argparse.ArgumentParser(description="Train and evaluate one model.")
    parser.add_argument("--spec", required=True, type=Path, help="run_spec.json")
    parser.add_argument("--data", required=True, type=Path, help="folder with the synced dataset and its manifest.json")
    parser.add_argument("--output", required=True, type=Path, help="output folder")
    parser.add_argument("--base-model", type=Path, help="folder with the pretrained weights to start from")
    parser.add_argument(
        "--ready", type=Path, help="write what the libraries found to this file, then wait for a line on standard input"
    )
    options = parser.parse_args(arguments)
    prepare_process()
    if several.is_one_of_several():
        die_with_parent()
    first = several.is_first()
    if not first:
        logging.getLogger("chronos_training").setLevel(logging.WARNING)
    stop = StopRequest()
    stop.install()
    progress: Progress | None = None
    try:
        options.output.mkdir(parents=True, exist_ok=True)
        progress = Progress(options.output / "progress.json" if first else None)
        progress.phase("preparing", "loading libraries")
        # Imported here, so that a bad spec or a SIGTERM does not wait for torch.
        from chronos_training.training.spec import read_spec

        spec = read_spec(options.spec)
        told = ""
        if options.ready:
            if spec.config.model.family == "autogluon":
                # An environment without it is found out before the data moves.
                importlib.import_module("chronos_training.training.autogluon.training")
            ready.announce(options.ready)
            progress.phase("preparing", "waiting for the data")
            told = ready.wait_for_go(stop)
        size = spec.config.run
        if size.ranks > 1 and not several.is_one_of_several():
            meeting = Rendezvous.from_line(told) if size.instances > 1 else None
            return several.run(size.processes, options, stop, meeting, size.instances)
        from chronos_training.training.session import run

        run(spec, options.data, options.output, progress, stop, options.base_model)
    except Stopped:
        logging.getLogger("chronos_training").info("stopped on request; the last step was saved")
        return 143
    except TrainingError as error:
        several.note_refusal(options.output, str(error))
        return _fail(2, str(error))
    except Exception as error:  # the last resort: the traceback is for the log, the sentence for the state
        traceback.print_exc()
        if progress is not None and several.cannot_start_anew(progress.current):
            several.note_refusal(options.output, _sentence(error))
        return _fail(1, _sentence(error))
    return 0


def _sentence(error: Exception) -> str:
    # torch and safetensors write by themselves and have exceptions of their own; the system's words are in all of them.
    if "No space left on device" in str(error):
        return "The instance's disk is full. Raise training_launch_volume_gb."
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _fail(code: int, message: str) -> int:
    sys.stdout.flush()
    print("ERROR: " + " ".join(message.split()), file=sys.stderr, flush=True)
    return code


def prepare_process() -> None:
    """Set what libraries read when they are imported, and log to standard output."""
    for name, value in LIBRARY_VARIABLES.items():
        os.environ.setdefault(name, value)
    logging.basicConfig(stream=sys.stdout, level=logging.WARNING, format="%(asctime)s  %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("chronos_training").setLevel(logging.INFO)


if __name__ == "__main__":
    run_program(main)
