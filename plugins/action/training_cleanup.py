"""Runs the module of the same name in Ansible's own process: its progress is seen at once, and no interpreter is started."""

from chronos_training.ansible.action import InProcessAction


class ActionModule(InProcessAction):
    """See library/training_cleanup.py."""

    SERVICES = ("ssm", "s3", "ec2", "scheduler")
