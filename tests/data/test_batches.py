from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from superconv_tune.data import batches
from superconv_tune.data.augment import AUGMENTATIONS
from superconv_tune.data.batches import Batch, LoaderSet, LoaderSource, ResidentSet, ResidentSource, as_tensor
from superconv_tune.data.normalise import Normaliser
from superconv_tune.problems.problem import BatchSource, EvaluationSet

CPU = torch.device("cpu")
ITEMS = 23
IMAGES = torch.randint(256, (ITEMS, 2, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
TARGETS = torch.arange(ITEMS)
NORMALISER = Normaliser(mean=(100.0, 120.0), std=(50.0, 70.0))


def resident(augmentations: Sequence[str] = ()) -> BatchSource:
    return ResidentSource(IMAGES, TARGETS, NORMALISER, augmentations)


def make_loader(batch_size: int, seed: int) -> Iterable[Batch]:
    generator = torch.Generator().manual_seed(seed)
    dataset = TensorDataset(IMAGES.float(), TARGETS)
    return DataLoader(dataset, batch_size, shuffle=True, drop_last=True, generator=generator)


def make_whole_loader(batch_size: int, _seed: int) -> Iterable[Batch]:
    return DataLoader(TensorDataset(IMAGES.float(), TARGETS), batch_size)


SOURCES: dict[str, BatchSource] = {
    "resident": resident(),
    "augmented": resident(tuple(AUGMENTATIONS)),
    "loader": LoaderSource(make_loader, ITEMS, CPU),
}


def taken(source: BatchSource, count: int, batch_size: int, seed: int = 3, first_step: int = 0) -> list[Batch]:
    return list(itertools.islice(source.stream(batch_size, seed, first_step), count))


def equal(one: Batch, other: Batch) -> bool:
    return all(torch.equal(left, right) for left, right in zip(one, other, strict=True))


@pytest.mark.parametrize("name", SOURCES)
@settings(max_examples=15, deadline=None)
@given(batch_size=st.integers(1, ITEMS), first_step=st.integers(0, 60), seed=st.integers(0, 2**63))
def test_a_stream_goes_on_at_any_step_bit_for_bit(name: str, batch_size: int, first_step: int, seed: int) -> None:
    whole = taken(SOURCES[name], first_step + 5, batch_size, seed)
    rest = taken(SOURCES[name], 5, batch_size, seed, first_step)
    assert all(equal(one, other) for one, other in zip(whole[first_step:], rest, strict=True))


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("batch_size", [1, 7, 23])
def test_an_epoch_sees_no_item_twice_and_another_order_than_the_next(name: str, batch_size: int) -> None:
    steps = SOURCES[name].steps_per_epoch(batch_size)
    assert steps == ITEMS // batch_size
    seen = torch.stack([targets for _, targets in taken(SOURCES[name], 3 * steps, batch_size)]).view(3, -1)
    assert all(len(set(epoch.tolist())) == steps * batch_size for epoch in seen)
    assert len({tuple(epoch.tolist()) for epoch in seen}) == 3


@pytest.mark.parametrize("name", SOURCES)
def test_another_seed_gives_other_batches(name: str) -> None:
    one, other = (taken(SOURCES[name], 1, 16, seed)[0] for seed in (0, 1))
    assert not equal(one, other)


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("share", [0.5, 0.25, 0.01])
def test_a_part_holds_the_same_few_items_in_every_epoch_and_others_for_another_seed(name: str, share: float) -> None:
    count = max(1, round(share * ITEMS))
    part = SOURCES[name].part(share, seed=5)
    assert part.steps_per_epoch(1) == count
    epochs = [
        {int(targets) for _, targets in taken(part, 3 * count, 1)[at : at + count]} for at in (0, count, 2 * count)
    ]
    assert epochs[0] == epochs[1] == epochs[2]
    assert len(epochs[0]) == count
    others = [{int(t) for _, t in taken(SOURCES[name].part(share, seed), count, 1)} for seed in range(6, 12)]
    assert any(other != epochs[0] for other in others)


def test_a_part_of_shared_rows_takes_the_right_inputs() -> None:
    rows = torch.arange(ITEMS - 1, -1, -1)
    source = ResidentSource(TARGETS.float()[:, None], TARGETS.flip(0), rows=rows)
    for inputs, targets in taken(source.part(0.5, seed=1), 6, 4):
        assert torch.equal(inputs[:, 0].long(), targets)


@pytest.mark.parametrize("name", SOURCES)
def test_a_stream_leaves_torch_s_global_generator_alone(name: str) -> None:
    """Dropout draws from it, and has to draw the same with and without an interruption."""
    state = torch.get_rng_state()
    taken(SOURCES[name], 5, 8)
    assert torch.equal(torch.get_rng_state(), state)


def test_fewer_items_than_a_batch_are_one_batch() -> None:
    source = resident()
    assert source.steps_per_epoch(100) == 1
    for _, targets in taken(source, 3, 100):
        assert sorted(targets.tolist()) == TARGETS.tolist()


def test_inputs_are_normalised_and_stay_with_their_targets() -> None:
    mean, std = (torch.tensor(values).view(1, 2, 1, 1) for values in (NORMALISER.mean, NORMALISER.std))
    for inputs, targets in taken(resident(), 4, 6):
        torch.testing.assert_close(inputs, (IMAGES[targets].float() - mean) / std)
    for inputs, targets in ResidentSet(IMAGES, TARGETS, NORMALISER).batches():
        torch.testing.assert_close(inputs, (IMAGES[targets].float() - mean) / std)


def test_a_step_is_augmented_anew() -> None:
    """The same item in two epochs looks different, or augmentation would only be another data set."""
    looks = [inputs[targets.argsort()] for inputs, targets in taken(resident(("shift",)), 4, ITEMS)]
    assert len({look.numpy().tobytes() for look in looks}) == 4


@pytest.mark.parametrize("values", [1, 5 * 128, 2**22])
def test_an_evaluation_reads_all_items_once_in_order(values: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "EVALUATION_VALUES", values)
    part: EvaluationSet = ResidentSet(IMAGES, TARGETS)
    found = list(part.batches())
    assert len(part) == ITEMS
    assert torch.equal(torch.cat([targets for _, targets in found]), TARGETS)
    assert all(inputs.numel() <= max(values, IMAGES[0].numel()) for inputs, _ in found)
    assert all(torch.equal(one, other) for one, other in zip(found[0], next(iter(part.batches())), strict=True))


def test_a_loader_s_set_reads_all_items_and_says_when_some_are_missing() -> None:
    part: EvaluationSet = LoaderSet(make_whole_loader, ITEMS, CPU)
    assert len(part) == ITEMS
    assert torch.equal(torch.cat([targets for _, targets in part.batches()]), TARGETS)
    with pytest.raises(ValueError, match="0 items, but 23 were announced; drop_last"):
        list(LoaderSet(make_loader, ITEMS, CPU).batches())


@pytest.mark.parametrize("items", [ITEMS + 8, 1000])
def test_a_loader_shorter_than_announced_is_reported(items: int) -> None:
    with pytest.raises(ValueError, match=f"gave 2 batches of 8, but {items // 8} were announced"):
        taken(LoaderSource(make_loader, items, CPU), 10, 8)


def test_a_loader_longer_than_announced_is_cut_to_whole_epochs() -> None:
    seen: list[int] = []

    def endless(batch_size: int, seed: int) -> Iterable[tuple[Tensor, Tensor]]:
        seen.append(seed)
        return ((torch.zeros(batch_size, 1), torch.full((batch_size,), place)) for place in itertools.count())

    places = [targets[0].item() for _, targets in taken(LoaderSource(endless, 12, CPU), 7, 4)]
    assert places == [0, 1, 2, 0, 1, 2, 0]
    assert len(set(seen)) == len(seen) == 3


def test_no_batch_of_a_loader_is_read_beyond_its_epoch() -> None:
    read = []

    def endless(batch_size: int, _seed: int) -> Iterator[Batch]:
        while True:
            read.append(batch_size)
            yield torch.zeros(batch_size, 1), torch.zeros(batch_size)

    taken(LoaderSource(endless, 12, CPU), 7, 4)
    assert len(read) == 7


def test_read_only_memory_is_shared_without_a_warning() -> None:
    array = np.arange(12, dtype=np.uint8).reshape(6, 2)
    array.setflags(write=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tensor = as_tensor(array, CPU)
    assert tensor.data_ptr() == array.ctypes.data
    assert tensor.tolist() == array.tolist()
    source = ResidentSource(tensor, torch.arange(6), Normaliser((5.0, 6.0), (2.0, 2.0)))
    taken(source, 6, 2)
    np.testing.assert_array_equal(array, np.arange(12).reshape(6, 2))  # nothing is written in place


@pytest.mark.parametrize("normaliser", [None, NORMALISER])
@pytest.mark.parametrize("as_given", [False, True])
def test_a_model_that_changes_its_inputs_in_place_changes_no_data(
    normaliser: Normaliser | None, as_given: bool
) -> None:
    """As a first layer `nn.ReLU(inplace=True)` does; a DataLoader gives copies, and so does every source here."""
    images = IMAGES.float()
    before = images.clone()
    part = ResidentSet(images, TARGETS, normaliser, as_given=as_given)
    source = ResidentSource(images, TARGETS, normaliser, as_given=as_given)
    for inputs, _ in [*part.batches(), *itertools.islice(source.stream(ITEMS, 0), 2)]:
        inputs.zero_()
    assert torch.equal(images, before)
