"""Write what volatility/Containerfile is built from into a folder: python tools/volatility_context.py FOLDER

The programs, and the packages of each image from volatility/poetry.lock. The same files make the same folder; what it
prints names its content.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "training" / "src"))

from chronos_training.control.volatility import image_context

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: volatility_context.py FOLDER")
    print(image_context.write(Path(__file__).resolve().parents[1], Path(sys.argv[1])))
