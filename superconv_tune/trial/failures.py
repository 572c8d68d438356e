"""Why a trial did not finish, as a status and one sentence."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Generator, Iterable, Iterator

import torch

from superconv_tune.data.batches import Batch
from superconv_tune.problems.source import REPORT, describe_error, first_line, is_ours
from superconv_tune.record.trial import Status
from superconv_tune.training.team import TeamError

# In the words of torch's CPU allocator, of CUDA's driver, and of cuBLAS and cuDNN, which allocate beside torch.
_NO_MEMORY = ("DefaultCPUAllocator", "CUDA error: out of memory", "STATUS_ALLOC_FAILED")


class Stopped(Exception):  # noqa: N818  (a decision and not an error)
    """The trial was ended on purpose: diverged, out of time, or no learning rate found."""

    def __init__(self, status: Status, reason: str) -> None:
        self.status = status
        self.reason = reason
        super().__init__(reason)


class SourceError(Exception):
    """The batches could not be read; the cause is the source's own exception."""


def guarded(read: Callable[[], Iterable[Batch]]) -> Generator[Batch, None, None]:
    """The batches of ``read``; any failure in them becomes a `SourceError`, except running out of memory.

    Raises:
        SourceError: caused by the source's own exception.
    """
    try:
        yield from read()
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise SourceError from error


def endless(batches: Iterator[Batch]) -> Iterator[Batch]:
    """The same batches, with an error if they end.

    Raises:
        SourceError: when they run out.
    """
    count = 0
    for count, batch in enumerate(batches, 1):  # noqa: B007  (read after the loop)
        yield batch
    raise SourceError from EOFError(f"the training batches ended after {count}, but a source must be endless")


def explain(error: Exception) -> tuple[Status, str]:
    """Status and one sentence for an exception that ended a trial."""
    if isinstance(error, Stopped):
        return error.status, error.reason
    if is_out_of_memory(error):
        return "oom", f"The device ran out of memory: {first_line(error)}. A smaller batch_size or model needs less."
    if isinstance(error, TeamError):
        return "preempted", f"Another of the processes that train together was lost ({error})."
    if isinstance(error, SourceError):
        return "data_error", f"The data could not be read: {describe_error(error.__cause__ or error)}."
    if is_ours(error):
        return "code_error", f"{first_line(error)}{_place(error)}. {REPORT}"
    return "code_error", f"The model, loss or metric failed: {describe_error(error)}."


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the device or the host ran out of memory; torch's CPU allocator raises a plain RuntimeError."""
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _NO_MEMORY)
