"""The protocol of the lock as a small model, and the explorer that walks through all of it."""
