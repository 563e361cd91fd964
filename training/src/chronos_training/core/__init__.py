"""The run's life: state record, lock, S3 layout, instance calls. Imports boto3 and the standard library only.

It also runs under the instance's system Python before any environment is there, so it stays on Python 3.10.
"""
