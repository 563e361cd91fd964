"""API Gateway's REST APIs: what is deployed really answers. See README.md."""
