"""A user's Dataset whose items differ from reading to reading is not frozen."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import ConcatDataset, Dataset, Subset, TensorDataset

from superconv_tune.core.errors import UserError
from superconv_tune.problems.live import LiveSource
from superconv_tune.problems.own_data import kind_of, own_data
from superconv_tune.problems.user import Task, arrays, differs, read_items

ITEMS = 60


class Noisy(Dataset[Any]):
    """Points with noise from one of the generators that transforms use."""

    def __init__(self, draw: Callable[[], float], share: float = 1.0) -> None:
        self.draw, self.share = draw, share

    def __len__(self) -> int:
        return ITEMS

    def __getitem__(self, index: int) -> Any:
        noise = self.draw()
        return torch.full((3,), float(index)) + (noise if abs(noise) < self.share else 0.0), index % 3


OWN = np.random.default_rng(0)
DRAWS: dict[str, Callable[[], float]] = {
    "torch": lambda: float(torch.rand(())),
    "numpy": lambda: float(np.random.rand()),  # noqa: NPY002  pytorch issue 5059: of transforms that draw from it
    "python": random.random,
    "its own generator": lambda: float(OWN.random()),  # MONAI issue 1068: transforms with a state of their own
}
PLAIN = TensorDataset(torch.arange(ITEMS * 2.0).reshape(ITEMS, 2), torch.arange(ITEMS) % 3)


@pytest.mark.parametrize("generator", DRAWS)
def test_items_that_differ_are_noticed_and_read_anew(generator: str) -> None:
    own = own_data(Task(Noisy(DRAWS[generator])))
    assert own.is_live
    assert "differ when they are read twice" in own.raw.warnings[0]


@pytest.mark.parametrize("wrap", [lambda made: Subset(made, range(30)), lambda made: ConcatDataset([made, made])])
def test_it_is_noticed_behind_a_subset_or_a_concatenation(wrap: Any) -> None:
    assert differs(wrap(Noisy(DRAWS["torch"])))


def test_a_transform_that_changes_one_item_in_ten_is_noticed() -> None:
    """As torchvision's RandomErasing(p=0.1) would be."""
    assert differs(Noisy(DRAWS["torch"], share=0.1))


def test_items_that_do_not_differ_are_read_once() -> None:
    assert not own_data(Task(PLAIN)).is_live
    assert not differs((np.zeros((3, 2)), np.zeros(3)))
    nan = TensorDataset(torch.full((ITEMS, 2), torch.nan), torch.zeros(ITEMS))
    assert not differs(nan)


def test_a_validation_part_is_read_once_and_that_is_said() -> None:
    own = own_data(Task(PLAIN, validation=Noisy(DRAWS["torch"])))
    assert not own.is_live
    assert "of validation differ" in own.raw.warnings[0]


def test_what_is_read_before_a_search_is_the_same_in_every_process() -> None:
    """Or the fingerprint of the data would differ, and a study could not be resumed."""
    once, twice = (arrays(Noisy(DRAWS["torch"]), "train") for _ in range(2))
    assert np.array_equal(once[0], twice[0])


def test_reading_leaves_the_generators_of_the_caller_alone() -> None:
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]  # noqa: NPY002
    read_items(Noisy(DRAWS["torch"]), range(5), 3)
    after = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]  # noqa: NPY002
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


def live(draw: str) -> LiveSource:
    def made(inputs: Any, targets: Any) -> Any:
        return torch.from_numpy(inputs), torch.from_numpy(targets)

    return LiveSource(Noisy(DRAWS[draw]), torch.arange(10, 40), torch.device("cpu"), made)


@pytest.mark.parametrize("generator", ["torch", "numpy", "python"])
def test_every_epoch_has_its_own_transforms_and_a_run_can_go_on_at_any_step(generator: str) -> None:
    source = live(generator)
    assert source.steps_per_epoch(10) == 3
    batches = list(itertools.islice(source.stream(10, seed=5), 6))
    rows = [torch.floor(inputs[:, 0]).long() for inputs, _ in batches]
    for epoch in (rows[:3], rows[3:]):
        assert sorted(torch.cat(epoch).tolist()) == list(range(10, 40))
    noise = [
        torch.frac(torch.cat([inputs[:, 0] for inputs, _ in epoch])).sort().values
        for epoch in (batches[:3], batches[3:])
    ]
    assert not torch.equal(*noise)
    for step in (1, 4):
        inputs, targets = next(source.stream(10, seed=5, first_step=step))
        assert torch.equal(inputs, batches[step][0])
        assert torch.equal(targets, batches[step][1])
    assert not torch.equal(next(source.stream(10, seed=6))[0], batches[0][0])


def test_a_part_of_a_live_source_has_its_share_of_the_rows() -> None:
    part = live("torch").part(0.5, seed=1)
    inputs, _ = next(part.stream(15, seed=0))
    assert part.steps_per_epoch(15) == 1
    assert len(set(torch.floor(inputs[:, 0]).tolist()) & set(range(10, 40))) == 15


@pytest.mark.parametrize(
    ("targets", "kind"),
    [
        (np.zeros(9), "regression"),
        (np.zeros((9, 4, 4)), "regression"),
        (np.zeros(9, np.int64), "classification"),
        (np.zeros((9, 1), np.int64), "classification"),
        (np.zeros(9, bool), "classification"),
        (np.zeros((9, 16, 16), np.int64), "structured"),  # a class per pixel
        (np.zeros((9, 5), np.int64), "structured"),  # several labels, or the next words
        (np.zeros((9, 5), bool), "structured"),
        (np.array([0, 1, -100]), "structured"),  # torchmetrics issue 304: torch's mark of what is ignored is no class
    ],
)
def test_what_targets_are(targets: Any, kind: str) -> None:
    assert kind_of(targets) == kind


class Triples(Noisy):
    """A weight comes third, which a loss never would see."""

    def __getitem__(self, index: int) -> Any:
        return (*super().__getitem__(index), 1.0)


def test_items_that_are_no_pairs_are_refused_and_not_cut() -> None:
    with pytest.raises(UserError, match="pair"):
        arrays(Triples(lambda: 0.0), "train")


def grouped(groups: Any, **parts: Any) -> Task:
    rows = np.arange(ITEMS * 2.0).reshape(ITEMS, 2)
    return Task((rows, np.arange(ITEMS) % 3), groups=groups, **parts)


def test_a_task_brings_the_groups_of_its_items() -> None:
    for groups in (np.arange(ITEMS) // 6, [f"p{number // 6:02d}" for number in range(ITEMS)]):
        own = own_data(grouped(groups))
        assert own.raw.train.groups is not None
        assert own.raw.train.groups.tolist() == [number // 6 for number in range(ITEMS)]
    test = (np.zeros((6, 2)), np.arange(6) % 3)
    own = own_data(grouped({"train": np.arange(ITEMS) // 6, "test": [0, 0, 0, 77, 77, 77]}, test=test))
    assert own.raw.test is not None
    assert own.raw.test.groups is not None
    assert own.raw.test.groups.tolist() == [0, 0, 0, 8, 8, 8]  # by their names as text
    assert own_data(grouped(None)).raw.train.groups is None
    assert own_data(grouped(np.arange(ITEMS) // 6, test=test)).raw.test.groups is None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        (np.arange(5), r"groups of train have the shape \(5,\), but it has 60 items"),
        (np.ones((ITEMS, 2)), r"the shape \(60, 2\)"),
        ([None, *range(ITEMS - 1)], "some groups of train are missing"),
        (np.append(np.nan, np.arange(ITEMS - 1)), "some groups of train are missing"),
        ({"test": np.arange(ITEMS) // 6}, "groups has 'test', which is no part with items"),
        (np.zeros(ITEMS), "into one group"),
        (np.arange(ITEMS), "into a group of its own"),
    ],
)
def test_groups_that_do_not_fit_the_items_are_refused(groups: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        own_data(grouped(groups))
