"""`python -m chronos_training.command`, the same as `chronos-training`."""

from chronos_training.command.main import program

if __name__ == "__main__":
    program()
