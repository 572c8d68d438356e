"""Where batches come from: tensors on the device, or the user's own DataLoader."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from superconv_tune.data.augment import AUGMENTATIONS
from superconv_tune.data.nested import count, mapped, pair
from superconv_tune.data.normalise import Normaliser, normalised

Batch = tuple[Any, Any]  # inputs and targets: tensors, or from the user's own loaders structures of tensors
LoaderFactory = Callable[[int, int], Iterable[Batch]]  # batch size and seed to the batches of one epoch

EVALUATION_BATCH = 1024
EVALUATION_VALUES = 2**22  # inputs in one batch: 16 MiB as float32; activations take many times that
AUGMENTATION_STREAM = 1  # keeps the seeds of augmentation apart from those of the permutations
PART_STREAM = 2  # and those of the choice of a part


@dataclass(frozen=True)
class ResidentSource:
    """Training batches from tensors on the device, with a new permutation in every epoch.

    Batch k is a function of (batch size, seed, k): the permutation of epoch e is drawn from (seed, e) and the
    augmentation of step k from (seed, k). So a run can continue at any step without saved state. The last, incomplete
    batch of an epoch is dropped; its examples differ from epoch to epoch.

    Attributes:
        inputs: [n, ...], as stored (uint8 or float32).
        targets: [n, ...].
        normaliser: of the training part; None converts inputs to float32 only.
        augmentations: names in `AUGMENTATIONS`, applied in order, for images only.
        rows: rows of the inputs that belong to this part, in the order of the targets, shape [n]; None for all.
        as_given: whether inputs keep their number format, such as the whole numbers that an embedding reads.
    """

    inputs: Tensor
    targets: Tensor
    normaliser: Normaliser | None = None
    augmentations: Sequence[str] = ()
    rows: Tensor | None = None
    as_given: bool = False

    def steps_per_epoch(self, batch_size: int) -> int:
        """Number of whole batches; 1, with all examples in it, if they are fewer than a batch."""
        return max(1, len(self.targets) // batch_size)

    def stream(self, batch_size: int, seed: int, first_step: int = 0) -> Iterator[Batch]:
        """Endless batches from step ``first_step`` on."""
        device, steps = self.inputs.device, self.steps_per_epoch(batch_size)
        scale = self.normaliser.on(device) if self.normaliser else None
        step = first_step
        while True:
            order = _sent(_permutation(len(self.targets), seed, step // steps), device)
            for index in range(step % steps, steps):
                rows = order[index * batch_size : (index + 1) * batch_size]
                inputs = self.inputs[rows if self.rows is None else self.rows[rows]]
                inputs = inputs if self.as_given else normalised(inputs, *scale) if scale else inputs.float()
                yield self._augmented(inputs, seed, step), self.targets[rows]
                step += 1

    def part(self, share: float, seed: int) -> ResidentSource:
        """A random ``share`` of the examples, drawn by ``seed``; at least one."""
        count = max(1, round(share * len(self.targets)))
        kept = _permutation(len(self.targets), _seed(seed, PART_STREAM), 0)[:count].to(self.inputs.device)
        rows = kept if self.rows is None else self.rows[kept]
        return replace(self, targets=self.targets[kept], rows=rows)

    def _augmented(self, images: Tensor, seed: int, step: int) -> Tensor:
        if not self.augmentations:
            return images
        generator = Generator(images.device).manual_seed(_seed(seed, AUGMENTATION_STREAM, step))
        for name in self.augmentations:
            images = AUGMENTATIONS[name](images, generator)
        return images


@dataclass(frozen=True)
class ResidentSet:
    """Tensors on the device that are only read, in large batches, in order.

    Attributes:
        inputs: as in `ResidentSource`, like all up to ``as_given``.
        targets: likewise.
        normaliser: likewise.
        rows: likewise.
        as_given: likewise.
        enlargement: how many times as many values a model makes of an input before it reads it; batches are smaller
            then.
    """

    inputs: Tensor
    targets: Tensor
    normaliser: Normaliser | None = None
    rows: Tensor | None = None
    as_given: bool = False
    enlargement: float = 1.0

    def __len__(self) -> int:
        return len(self.targets)

    def batches(self) -> Iterable[Batch]:
        """All items once."""
        scale = self.normaliser.on(self.inputs.device) if self.normaliser else None
        fitting = int(EVALUATION_VALUES / max(1.0, self.enlargement * math.prod(self.inputs.shape[1:])))
        size = min(EVALUATION_BATCH, max(1, fitting))
        for start in range(0, len(self.targets), size):
            here = slice(start, start + size)
            inputs, targets = self.inputs[here if self.rows is None else self.rows[here]], self.targets[here]
            if scale and not self.as_given:
                yield normalised(inputs, *scale), targets
            else:  # a copy: a model may change its inputs in place
                yield torch.clone(inputs) if self.as_given else inputs.to(torch.float32, copy=True), targets


@dataclass(frozen=True)
class LoaderSource:
    """Training batches from the user's own DataLoaders.

    Attributes:
        make: takes batch size and seed, and returns the batches of one epoch; called for every epoch with its own seed.
        examples: number of examples in one epoch.
        device: the device that batches are moved to.
        part_seed: seed of every epoch of a part, which has the same batches each time; None for another seed in each.
    """

    make: LoaderFactory
    examples: int
    device: torch.device
    part_seed: int | None = None

    def steps_per_epoch(self, batch_size: int) -> int:
        """Number of whole batches in an epoch; what a loader yields beyond them is not used."""
        return max(1, self.examples // batch_size)

    def stream(self, batch_size: int, seed: int, first_step: int = 0) -> Iterator[Batch]:
        """Endless batches; to begin in the middle of an epoch, its earlier batches are read and dropped.

        Raises:
            ValueError: if an epoch of the loader is shorter than ``examples`` says.
        """
        steps = self.steps_per_epoch(batch_size)
        epoch, skip = divmod(first_step, steps)
        while True:
            given = 0
            for given, batch in enumerate(islice(self.make(batch_size, self._epoch_seed(seed, epoch)), steps), 1):
                if given > skip:
                    yield _moved(batch, self.device)
            if given < steps:
                raise ValueError(f"the loader gave {given} batches of {batch_size}, but {steps} were announced.")
            epoch, skip = epoch + 1, 0

    def part(self, share: float, seed: int) -> LoaderSource:
        """The first batches of an epoch shuffled by ``seed``, the same in every epoch."""
        return replace(self, examples=max(1, round(share * self.examples)), part_seed=seed)

    def _epoch_seed(self, seed: int, epoch: int) -> int:
        return _seed(seed, 0, epoch) if self.part_seed is None else _seed(self.part_seed, PART_STREAM, 0)


@dataclass(frozen=True)
class LoaderSet:
    """A part that the user's own DataLoader reads, in a fixed order because the seed is always the same."""

    make: LoaderFactory
    items: int
    device: torch.device

    def __len__(self) -> int:
        return self.items

    def batches(self) -> Iterable[Batch]:
        """All items once.

        Raises:
            ValueError: if the loader gives more or fewer items than were announced, as with ``drop_last``.
        """
        given = 0
        for batch in self.make(EVALUATION_BATCH, 0):
            inputs, targets = _moved(batch, self.device)
            given += count(targets)
            yield inputs, targets
        if given != self.items:
            raise ValueError(f"the loader gave {given} items, but {self.items} were announced; drop_last drops some.")


def as_tensor(array: NDArray[Any], device: torch.device) -> Tensor:
    """The array on the device; on the CPU without a copy, even if it is read-only memory that workers share."""
    with warnings.catch_warnings():
        # Ray's shared memory is read-only, and nothing here writes into it.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array).to(device)


def _moved(batch: Any, device: torch.device) -> Batch:
    """A batch of the user's loader on the device."""
    return pair(mapped(lambda tensor: tensor.to(device, non_blocking=True), pair(batch)))


def _sent(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on the device; a GPU copies it out of pinned memory, for which the host does not wait."""
    return (tensor.pin_memory() if device.type == "cuda" else tensor).to(device, non_blocking=True)


def _permutation(count: int, seed: int, epoch: int) -> Tensor:
    """On the CPU, so that every device trains in the same order."""
    return torch.randperm(count, generator=Generator().manual_seed(_seed(seed, 0, epoch)))


def _seed(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0]) >> 1
