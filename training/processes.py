"""Processes that train one network together, started by torchrun: each takes its share of every batch."""

import gc
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import NamedTuple, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

__all__ = ["Processes", "Share", "joined"]

PATIENCE = timedelta(days=1)
"""Maximum wait for each other: one process may need long for the last features."""
Result = TypeVar("Result")
Work = TypeVar("Work")


class Share(NamedTuple):
    """One process's part of every batch; all parts are equal."""

    rank: int = 0
    of: int = 1

    @property
    def rows(self) -> slice:
        """The process's rows of a joint batch."""
        return slice(self.rank, None, self.of)


class Processes:
    """All processes that train together, usually one. From the same seed, all draw the same."""

    def __init__(self, share: Share | None = None, device: str = "cpu") -> None:
        self.share = share or Share()
        self._device = device
        self.kept = ExitStack()
        """locks that are held until the run ends"""

    @property
    def first(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.share.rank == 0

    def averaging(self, trained: nn.Module, compute: Callable[..., Result]) -> Callable[..., Result]:
        """Wrap `compute`, so that gradients of its results are means over all processes.

        Parameters are copied from the first process. `compute` may leave some out.
        """
        if self.share.of == 1:
            return compute
        return DistributedDataParallel(_Computation(trained, compute), find_unused_parameters=True)

    def sum(self, values: Sequence[float] | Tensor) -> Tensor:
        """Return the sums over all processes, the same in each."""
        total = torch.as_tensor(values, dtype=torch.float64, device=self._device).detach().clone()
        if self.share.of > 1:
            dist.all_reduce(total)
        return total

    def divide(self, work: Sequence[Work]) -> Iterator[Work]:
        """Yield this process's share of some work, once all are here; end when all are done.

        So the first has claimed a folder before any writes to it, and all files exist before any reads them.
        """
        self.wait()
        yield from work[self.share.rows]
        self.wait()

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.share.of > 1:
            dist.barrier()


@contextmanager
def joined(device: str) -> Iterator[Processes]:
    """Join the other processes of torchrun, over NCCL on GPUs and gloo on CPUs; without torchrun, be alone."""
    if not dist.is_torchelastic_launched():
        alone = Processes(device=device)
        with alone.kept:
            yield alone
        return
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))  # `cuda` means this device from now on
    dist.init_process_group("nccl" if device == "cuda" else "gloo", timeout=PATIENCE)
    try:
        processes = Processes(Share(dist.get_rank(), dist.get_world_size()), device)
        with processes.kept:
            yield processes
    finally:
        gc.collect()  # what still holds the connections; see `Trainer.train`
        dist.destroy_process_group()


class _Computation(nn.Module):
    """A function of parameters as a module, as DistributedDataParallel needs it."""

    def __init__(self, trained: nn.Module, compute: Callable[..., object]) -> None:
        super().__init__()
        self.trained, self._compute = trained, compute

    def forward(self, *arguments: object) -> object:
        return self._compute(*arguments)
