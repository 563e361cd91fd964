"""CloudWatch Logs; see README.md."""
