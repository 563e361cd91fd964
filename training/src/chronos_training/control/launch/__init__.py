"""Plan a run and start it: configuration, price, limits, lock, RunInstances."""
