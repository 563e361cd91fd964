"""Runs the module of the same name in Ansible's own process: no interpreter is started and boto3 is loaded already."""

from chronos_training.ansible.action import QuietAction as ActionModule

__all__ = ["ActionModule"]
