"""`python -m chronos_training.command`, the same as `chronos-training`."""

import sys

from chronos_training.command.main import main

if __name__ == "__main__":
    sys.exit(main())
