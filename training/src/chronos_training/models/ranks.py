"""Several training processes: which one this is, and what they have to agree on. Alone, all of it is nothing."""

from __future__ import annotations

import torch
import torch.distributed as dist

from chronos_training.models.several import rank


def is_first() -> bool:
    """Return whether this process is the one that writes."""
    return rank() == 0


def together() -> bool:
    """Return whether there are others, and a connection to them."""
    return bool(dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1)


def any_of(flag: bool) -> bool:
    """Return whether one of the processes says yes; all of them have to ask at the same step."""
    if not together():
        return flag
    answer = torch.tensor([int(flag)], device=_device())
    dist.all_reduce(answer, op=dist.ReduceOp.MAX)
    return bool(answer.item())


def wait_for_all() -> None:
    """Return when every process is here."""
    if together():
        dist.barrier()


def part() -> None:
    """Give up the connection: the first process goes on alone."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()


def _device() -> torch.device:
    return torch.device("cuda" if dist.get_backend() == "nccl" else "cpu")
