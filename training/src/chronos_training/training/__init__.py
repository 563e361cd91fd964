"""The training process and what it writes. With `families` and a few modules of `data`, all that imports torch.

Read in this order: `train` (the process), `session` (one run), `loop`, `refit`, `checkpoints`, `artifacts`, `metadata` and
`report`.
"""
