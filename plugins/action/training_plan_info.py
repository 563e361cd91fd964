"""Runs the module of the same name in Ansible's own process: its progress is seen at once, and no interpreter is started."""

from chronos_training.ansible.action import InProcessAction as ActionModule
from chronos_training.ansible.action import keep_for_tasks

# The plan and the launch after it, each in a process of its own.
keep_for_tasks("ec2", "s3", "scheduler", "ssm")

__all__ = ["ActionModule"]
