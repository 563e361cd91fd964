"""ECS: tasks really run. See README.md."""
