"""A problem as one of several processes trains it: on its share of every batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from torch import Tensor, nn

from superconv_tune.data.batches import Batch
from superconv_tune.data.nested import count, mapped
from superconv_tune.problems.problem import BatchSource, Problem
from superconv_tune.training.team import Team, with_shared_norms


@dataclass(frozen=True)
class ShareSource:
    """The share of one process in every batch of a source.

    Each process makes whole batches and takes its part, so that order and augmentation are those of one process, where
    batch k is a function of (batch size, seed, k). Steps and batch sizes are those of whole batches.

    Attributes:
        whole: the source.
        team: this process among the others.
    """

    whole: BatchSource
    team: Team

    def steps_per_epoch(self, batch_size: int) -> int:
        """As of whole batches."""
        return self.whole.steps_per_epoch(batch_size)

    def stream(self, batch_size: int, seed: int, first_step: int = 0) -> Iterator[Batch]:
        """The shares of endless batches from step ``first_step`` on.

        Raises:
            ValueError: if a batch cannot be divided equally, or a tensor in it is not a row per item.
        """
        for inputs, targets in self.whole.stream(batch_size, seed, first_step):
            take = self._taker(count(targets))
            yield mapped(take, inputs), mapped(take, targets)

    def part(self, share: float, seed: int) -> ShareSource:
        """The shares in batches of a random part of the examples."""
        return replace(self, whole=self.whole.part(share, seed))

    def _taker(self, items: int) -> Callable[[Tensor], Tensor]:
        rows, rest = divmod(items, self.team.size)
        if rest or not rows:
            raise ValueError(f"a batch of {items} items cannot be divided equally among {self.team.size} processes")
        mine = slice(self.team.rank * rows, (self.team.rank + 1) * rows)

        def take(tensor: Tensor) -> Tensor:
            if tensor.dim() == 0:
                return tensor
            if len(tensor) != items:
                raise ValueError(
                    f"a tensor in a batch of {items} items has the shape {list(tensor.shape)}; to be divided among "
                    f"processes, it needs a row per item"
                )
            return tensor[mine]

        return take


def together(problem: Problem, team: Team) -> Problem:
    """The problem as this process of the team trains it."""

    def make_model() -> nn.Module:
        model = problem.make_model()
        return with_shared_norms(model) if problem.device.type == "cuda" else model

    return replace(
        problem,
        make_model=make_model,
        train=ShareSource(problem.train, team),
        plain_train=None if problem.plain_train is None else ShareSource(problem.plain_train, team),
        team=team,
    )
