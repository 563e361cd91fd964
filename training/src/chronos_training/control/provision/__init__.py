"""The persistent resources of an environment: what they are called, what exists, whether it is right (R17, R29-R34, R38)."""
