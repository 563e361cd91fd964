"""CloudWatch; see README.md."""
