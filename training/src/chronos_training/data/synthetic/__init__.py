"""Synthetic series: mixtures of real ones while training, and whole panels to pretrain on."""
