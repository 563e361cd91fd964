"""The seven tables: their contracts, and how partitions are written and read."""
