"""The command `chronos-training`: the same training, evaluation and checks as on an instance, on local files, without any cloud."""
