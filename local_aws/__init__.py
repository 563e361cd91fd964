"""The embedded AWS: moto's server with its gaps closed, instance metadata, and a host that boots user data.

It serves the inventory `local` and the tests. Nothing in the playbooks, roles or modules knows about it: they see an
endpoint (AWS_ENDPOINT_URL), static keys, and instances that boot, work and end like the real ones.

    python -m local_aws start | stop | status | endpoint | logs | reset

This package's top level imports nothing heavy: the inventory plugin and `status` must answer in milliseconds, so moto
is imported in the daemon only.
"""
