from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from superconv_tune.data.batches import Batch
from superconv_tune.training.team import TeamError
from superconv_tune.trial.failures import Stopped, endless, explain, guarded

BATCH: Batch = (torch.zeros(1), torch.zeros(1))


def raised(call: object) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011  (any; which one is asserted)
        call()  # type: ignore[operator]
    return caught.value


def test_a_failing_source_is_a_data_error_that_names_the_place() -> None:
    def batches() -> Iterator[Batch]:
        yield BATCH
        raise OSError("disk gone\nand more")

    status, reason = explain(raised(lambda: list(guarded(batches))))
    assert status == "data_error"
    assert "OSError: disk gone (" in reason
    assert "test_failures.py, line" in reason
    assert "\n" not in reason


def test_a_source_that_cannot_even_begin_is_a_data_error() -> None:
    def batches() -> Iterator[Batch]:
        raise ValueError("no such folder")

    assert explain(raised(lambda: list(guarded(batches))))[0] == "data_error"


def test_a_process_that_lost_another_one_is_not_to_blame() -> None:
    status, reason = explain(TeamError("Connection closed by peer"))
    assert status == "preempted"
    assert "Another of the processes" in reason


def test_batches_that_end_are_a_data_error() -> None:
    status, reason = explain(raised(lambda: list(endless(itertools.repeat(BATCH, 3)))))
    assert status == "data_error"
    assert "ended after 3" in reason


def test_closing_the_guard_closes_the_source() -> None:
    closed = []

    def batches() -> Iterator[Batch]:
        try:
            while True:
                yield BATCH
        finally:
            closed.append(True)

    guard = guarded(batches)
    next(guard)
    guard.close()
    assert closed == [True]


def test_the_user_s_own_line_is_named_and_not_torch_s() -> None:
    class Model(nn.Module):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.linear(inputs, torch.zeros(2, 3), bias=None).softmax(7)

    status, reason = explain(raised(lambda: Model()(torch.zeros(1, 3))))
    assert status == "code_error"
    assert "IndexError" in reason
    assert "test_failures.py, line" in reason


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    ],
)
def test_lack_of_memory_is_told_from_a_defect_wherever_it_happens(error: Exception) -> None:
    def batches() -> Iterator[Batch]:
        raise error

    assert explain(error)[0] == "oom"
    assert explain(raised(lambda: list(guarded(batches))))[0] == "oom"


def test_torch_s_own_refusal_of_host_memory_is_seen() -> None:
    assert explain(raised(lambda: torch.empty(2**58)))[0] == "oom"


def test_a_decision_keeps_its_status_and_reason() -> None:
    assert explain(Stopped("no_lr", "no descent")) == ("no_lr", "no descent")


def test_an_error_without_a_message_is_still_named() -> None:
    assert "SourceError" not in explain(raised(lambda: list(guarded(lambda: iter([][0])))))[1]
    assert "failed: KeyError." in explain(KeyError())[1]
