"""Follow a run, end it, and reconcile what a dead one left."""
