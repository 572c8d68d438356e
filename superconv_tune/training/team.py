"""Processes that train one model together: each on its share of every batch, with gradients and losses averaged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby

import torch
import torch.distributed as dist
from torch import Tensor, nn

# Of these, torch has one that normalises by the whole batch; a subclass may do anything.
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class TeamError(Exception):
    """Another process of the team was lost, or cannot be reached."""


@dataclass(frozen=True)
class Team:
    """This process among those of torch's default process group, which exists as long as the team is used.

    With shares of equal size, the mean over processes of the mean losses of shares, and of their gradients, is that of
    the whole batch, so that the team takes the steps of one process. All processes call the methods in the same order;
    each raises `TeamError` if another one is lost meanwhile.

    Gradients are averaged after the backward pass and not, as by torch's ``DistributedDataParallel``, during it: that
    would hide some of the transfer, but does not go with parameters that a batch does not use, with several backward
    passes per step, or with models that compute gradients in their forward pass, all of which one process trains.

    Attributes:
        rank: number of this process, from 0.
        size: number of processes.
    """

    rank: int
    size: int

    @property
    def leads(self) -> bool:
        """Whether this process evaluates, saves and records for all."""
        return self.rank == 0

    def agree(self, model: nn.Module) -> None:
        """Give every process the parameters and buffers of the first one."""
        with torch.no_grad(), _named():
            for tensor in [*model.parameters(), *model.buffers()]:
                dense = tensor.detach().contiguous()
                dist.broadcast(dense, 0)
                tensor.copy_(dense)

    def average(self, values: Tensor) -> None:
        """Replace values by their mean over all processes."""
        with _named():
            dist.all_reduce(values)
        values /= self.size

    def average_gradients(self, model: nn.Module) -> None:
        """Replace the gradient of every parameter by its mean over all processes.

        A parameter that no process has used keeps no gradient, so that its weights stay as they are.
        """
        for parameters in _by_type(model):
            gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
            flat = torch.cat([*(g.reshape(-1) for g in gradients), _used(parameters)])
            self.average(flat)
            *means, used = torch.split(flat, [*(p.numel() for p in parameters), len(parameters)])
            for parameter, mean, share in zip(parameters, means, used, strict=True):
                if parameter.grad is not None:
                    parameter.grad.copy_(mean.view_as(parameter))
                elif share > 0:  # read on the host only where this process did not use it
                    parameter.grad = mean.view_as(parameter).clone()


@contextmanager
def _named() -> Iterator[None]:
    """Inside, what torch raises is a `TeamError`."""
    try:
        yield
    except RuntimeError as error:  # torch's own kind, dist.DistError, is one; gloo raises a plain one
        raise TeamError(str(error).partition("\n")[0]) from error


def _by_type(model: nn.Module) -> Iterator[list[nn.Parameter]]:
    """The trained parameters, those of one number format together."""
    trained = sorted((p for p in model.parameters() if p.requires_grad), key=lambda p: str(p.dtype))
    for _, parameters in groupby(trained, key=lambda p: p.dtype):
        yield list(parameters)


def _used(parameters: Sequence[nn.Parameter]) -> Tensor:
    """For each parameter 1 if it has a gradient, else 0, on their device; without waiting for it if all have one."""
    first, is_used = parameters[0], [parameter.grad is not None for parameter in parameters]
    if all(is_used):
        return torch.ones(len(is_used), dtype=first.dtype, device=first.device)
    return torch.tensor(is_used, dtype=first.dtype, device=first.device)


def with_shared_norms(model: nn.Module) -> nn.Module:
    """The model with batch norms that normalise by the batches of all processes; frozen ones stay as they are.

    torch has them for GPUs only. Names and values of the weights stay the same.
    """
    model.train()  # which frozen norms do not follow
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child) in BATCH_NORMS and child.training:
                shared = nn.SyncBatchNorm.convert_sync_batchnorm(child)  # type: ignore[no-untyped-call]  # torch leaves it
                setattr(module, name, shared)
    return model


def has_batch_norms(model: nn.Module) -> bool:
    """Whether the model normalises by the statistics of a batch."""
    return any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules())
