"""Training and evaluation. The only package that imports torch.

Read in this order: `train` (the process), `session` (one run), `windows`, `chronos2`, `loop`, `checkpoints`, then
`forecasting`, `baselines`, `metrics`, `scoring`, `metadata` and `report`.
"""
