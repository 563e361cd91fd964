"""Runs the module of the same name in Ansible's own process: no interpreter is started, and what it tells is seen at once."""

from chronos_training.ansible.action import QuietAction as ActionModule

__all__ = ["ActionModule"]
