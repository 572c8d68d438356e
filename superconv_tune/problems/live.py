"""Training batches of a Dataset whose items differ each time they are read, as with random transforms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from superconv_tune.data.batches import Batch, ResidentSource
from superconv_tune.problems.user import Array, read_items

ITEMS_STREAM = 3  # keeps the seeds of the transforms apart from those of the order


@dataclass(frozen=True)
class LiveSource:
    """Batches whose items are read from the user's Dataset when they are needed.

    As in a `ResidentSource`, batch k is a function of (batch size, seed, k): the generators of torch, numpy and Python
    are seeded for it, and are left as they were. A Dataset with a generator of its own goes on in that one.

    Attributes:
        dataset: the user's.
        rows: items that belong to this part, shape [n].
        device: the device that batches are moved to.
        made: inputs and targets as they were read to those of a batch.
    """

    dataset: Dataset[Any]
    rows: Tensor
    device: torch.device
    made: Callable[[Array, Array], Batch]

    def steps_per_epoch(self, batch_size: int) -> int:
        """Number of whole batches; 1, with all examples in it, if they are fewer than a batch."""
        return self._order.steps_per_epoch(batch_size)

    def stream(self, batch_size: int, seed: int, first_step: int = 0) -> Iterator[Batch]:
        """Endless batches from step ``first_step`` on."""
        for step, (_, rows) in enumerate(self._order.stream(batch_size, seed, first_step), first_step):
            items_seed = int(np.random.SeedSequence([seed, ITEMS_STREAM, step]).generate_state(1)[0])
            inputs, targets = self.made(*read_items(self.dataset, rows.tolist(), items_seed))
            yield inputs.to(self.device), targets.to(self.device)

    def part(self, share: float, seed: int) -> LiveSource:
        """A random ``share`` of the examples, drawn by ``seed``; at least one."""
        return replace(self, rows=self._order.part(share, seed).targets)

    @property
    def _order(self) -> ResidentSource:
        """The order of the examples, as batches of their rows."""
        return ResidentSource(self.rows, self.rows)
