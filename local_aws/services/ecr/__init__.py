"""ECR: a registry that takes layers. See README.md."""
