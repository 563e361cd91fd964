"""Past runs: list, compare, fetch, and the audit log."""
