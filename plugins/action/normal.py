"""Runs modules that have no action of their own: those of amazon.aws and community.aws in Ansible's own process, all others as ever."""

from chronos_training.ansible.stock_action import StockAction as ActionModule

__all__ = ["ActionModule"]
