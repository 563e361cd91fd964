"""What the instance does: the five steps, the log shipper and the watcher. Standard library and boto3 only."""
