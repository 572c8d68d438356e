"""The shares of a batch: together they are the batch of one process."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from superconv_tune.data.batches import Batch, ResidentSource
from superconv_tune.data.normalise import Normaliser
from superconv_tune.problems.problem import BatchSource
from superconv_tune.problems.together import ShareSource, together
from superconv_tune.training.team import Team, has_batch_norms, with_shared_norms
from tests.fakes import toy_problem


def resident(items: int) -> ResidentSource:
    """Augmented images, numbered by their targets."""
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (items, 3, 6, 6), dtype=np.uint8))
    return ResidentSource(images, torch.arange(items), Normaliser((1.0,) * 3, (2.0,) * 3), ("flip", "shift"))


@given(size=st.integers(1, 4), share=st.integers(1, 5), epochs=st.integers(1, 3), first=st.integers(0, 7))
def test_the_shares_of_all_processes_are_the_whole_batch(size: int, share: int, epochs: int, first: int) -> None:
    whole, batch = resident(40), size * share
    shares = [ShareSource(whole, Team(rank, size)) for rank in range(size)]
    steps = epochs * whole.steps_per_epoch(batch)
    assert {each.steps_per_epoch(batch) for each in shares} == {whole.steps_per_epoch(batch)}
    parts = zip(*(each.stream(batch, 7, first) for each in shares), strict=True)
    for (inputs, targets), pieces in islice(zip(whole.stream(batch, 7, first), parts, strict=True), steps):
        assert torch.equal(torch.cat([piece for piece, _ in pieces]), inputs)
        assert torch.equal(torch.cat([piece for _, piece in pieces]), targets)
        assert {len(piece) for _, piece in pieces} == {share}


def test_a_part_of_the_data_is_shared_like_all_of_them() -> None:
    whole = resident(40)
    mine = ShareSource(whole, Team(1, 2)).part(0.5, seed=3)
    assert torch.equal(next(mine.stream(10, 0))[1], next(whole.part(0.5, seed=3).stream(10, 0))[1][5:])


class Given:
    """One batch, as a user's loader gave it."""

    def __init__(self, inputs: Any, targets: Any) -> None:
        self._batch = inputs, targets

    def steps_per_epoch(self, batch_size: int) -> int:
        return 1

    def stream(self, batch_size: int, seed: int, first_step: int = 0) -> Iterator[Batch]:
        yield self._batch

    def part(self, share: float, seed: int) -> BatchSource:
        return self


def test_every_tensor_of_a_structure_is_divided() -> None:
    batch = Given({"ids": torch.arange(6), "mask": (torch.ones(6, 2), torch.tensor(3.0))}, torch.arange(6))
    inputs, targets = next(ShareSource(batch, Team(2, 3)).stream(6, 0))
    assert inputs["ids"].tolist() == targets.tolist() == [4, 5]
    assert (inputs["mask"][0].shape, inputs["mask"][1]) == ((2, 2), 3.0)


@pytest.mark.parametrize(
    ("inputs", "targets", "words"),
    [
        (torch.zeros(5), torch.zeros(5), "5 items cannot be divided equally among 2"),
        (torch.zeros(3, 7), torch.zeros(4), r"4 items has the shape \[3, 7\]"),
    ],
)
def test_what_cannot_be_divided_is_refused(inputs: torch.Tensor, targets: torch.Tensor, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        next(ShareSource(Given(inputs, targets), Team(0, 2)).stream(4, 0))


def test_only_the_training_batches_are_shared() -> None:
    problem = toy_problem()
    mine = together(problem, Team(1, 2))
    assert isinstance(mine.train, ShareSource)
    assert (mine.validation, mine.test, mine.plain_train) == (problem.validation, problem.test, None)
    assert mine.team == Team(1, 2)
    assert not any(isinstance(module, nn.SyncBatchNorm) for module in mine.make_model().modules())  # on a CPU


def test_shared_norms_keep_the_weights_and_leave_frozen_norms_alone() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Sequential(nn.BatchNorm1d(4)), nn.BatchNorm1d(4))
    frozen = model[3].eval()
    frozen.train = lambda mode=True: frozen  # type: ignore[method-assign]  # as `models.pretrained` freezes
    before = {name: value.clone() for name, value in model.state_dict().items()}
    shared = with_shared_norms(model)
    kinds = {name: type(module).__name__ for name, module in shared.named_modules() if "Norm" in str(type(module))}
    assert kinds == {"1": "SyncBatchNorm", "2.0": "SyncBatchNorm", "3": "BatchNorm1d"}
    assert all(torch.equal(value, before[name]) for name, value in shared.state_dict().items())
    assert has_batch_norms(shared)
    assert not has_batch_norms(nn.Linear(2, 2))
