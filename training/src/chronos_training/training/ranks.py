"""Several training processes: which one this is, and what they have to agree on. Alone, all of it is nothing."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Collection

import torch
import torch.distributed as dist

from chronos_training.training.several import is_first, is_first_here, rank

__all__ = ["any_of", "in_all", "is_first", "is_first_here", "part", "seed_step", "together", "wait_for_all"]


def together() -> bool:
    """Return whether there are others, and a connection to them."""
    return bool(dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1)


def any_of(flag: bool) -> bool:
    """Return whether one of the processes says yes; all of them have to ask at the same step."""
    if not together():
        return flag
    answer = torch.tensor([int(flag)])
    dist.all_reduce(answer, op=dist.ReduceOp.MAX, group=_words())
    return bool(answer.item())


def in_all(steps: Collection[int]) -> list[int]:
    """Return, descending, which of `steps` every process has; all of them have to ask. Instances share no disk."""
    if not together():
        return sorted(steps, reverse=True)
    found: list[list[int]] = [[] for _ in range(dist.get_world_size())]
    dist.all_gather_object(found, sorted(steps))
    return sorted(set.intersection(*(set(one) for one in found)), reverse=True)


def seed_step(seed: int, step: int) -> None:
    """Seed the random numbers of one step (dropout) by run, process and step.

    So a resume needs no state of the generators: only the head node's files are stored, and on other instances none
    are.
    """
    digest = hashlib.sha256(f"{seed} {rank()} {step}".encode()).digest()
    number = int.from_bytes(digest[:8], "big", signed=True)
    # torch.manual_seed would also ask for devices that are not there, and keep a traceback of each asking.
    torch.default_generator.manual_seed(number)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed(number)


def wait_for_all() -> None:
    """Return when every process is here."""
    if together():
        dist.barrier()


def part() -> None:
    """Give up the connection: the first process continues alone."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()


@functools.cache
def _words() -> dist.ProcessGroup | None:
    """Return a connection between the CPUs: over NCCL's, each question would wait for all that the GPU has to do."""
    return dist.new_group(backend="gloo") if dist.get_backend() == "nccl" else None
