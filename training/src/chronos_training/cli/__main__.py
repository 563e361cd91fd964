"""`python -m chronos_training.cli`, the same as `chronos-training`."""

from chronos_training.cli.main import program

if __name__ == "__main__":
    program()
