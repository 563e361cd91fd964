"""Step Functions; see README.md."""
