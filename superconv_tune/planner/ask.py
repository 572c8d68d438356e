"""What the planner can answer when a worker is free."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from superconv_tune.core.hyperparameters import WHOLE_NUMBERS, Hyperparameters
from superconv_tune.record.conductor import Signal
from superconv_tune.record.plan import Plan
from superconv_tune.record.purpose import FromProposer, Promoted, Proposal, Sampled
from superconv_tune.record.recipe import Recipe
from superconv_tune.record.trial import Cycle, TrialRequest


@dataclass(frozen=True)
class Draw:
    """A search trial for which the proposer draws the parameters that are not fixed.

    Attributes:
        study: key of the proposer's study of the rung.
        fixed: parameters whose value is given.
        draft: the request; its purpose and parameters are those of a trial in which nothing is drawn.
        pick_lr: the learning rate for the batch size of the draft, which ``lr_multiplier`` multiplies.
        parent: id of the trial whose configuration is trained in a longer cycle; None if it comes from the sampler.
        warm_start: key of the study of the rung below, from which the sampler learns before the first trial of this
            rung; None for none.
    """

    study: str
    fixed: Mapping[str, float]
    draft: TrialRequest
    pick_lr: float
    parent: str | None = None
    warm_start: str | None = None

    def request(self, drawn: Mapping[str, float], proposal: Proposal) -> TrialRequest:
        """The complete request, with the learning rate for the batch size that was drawn.

        Args:
            drawn: all parameters that the proposer knows, including the fixed ones.
            proposal: where the proposer stores them.
        """
        params = _with_drawn(self.draft.params, drawn)
        pick_lr = self.pick_lr * batch_scale(params.batch_size, self.draft.params.batch_size)
        purpose = Sampled(proposal, pick_lr) if self.parent is None else Promoted(self.parent, proposal, pick_lr)
        return replace(self.draft, purpose=purpose, params=params, work=Cycle(pick_lr * params.lr_multiplier))


@dataclass(frozen=True)
class Redraw:
    """The next attempt of a lost search trial, which the proposer stores as a new proposal with the same parameters.

    Attributes:
        lost: the request of the next attempt, with the proposal of the last one.
        fixed: the values of all parameters that the proposer knows.
    """

    lost: TrialRequest
    fixed: Mapping[str, float]
    warm_start: None = None

    @property
    def study(self) -> str:
        """The proposer's study of the rung."""
        assert isinstance(self.lost.purpose, FromProposer)
        return self.lost.purpose.proposal.study

    def request(self, drawn: Mapping[str, float], proposal: Proposal) -> TrialRequest:  # noqa: ARG002 - as in Draw
        """The complete request; nothing is drawn, because all parameters are fixed."""
        assert isinstance(self.lost.purpose, FromProposer)
        return replace(self.lost, purpose=replace(self.lost.purpose, proposal=proposal))


@dataclass(frozen=True)
class Drop:
    """A family that goes no further."""

    family: str


Decision = TrialRequest | Draw | Redraw | Plan | Recipe | Drop | Signal


def _with_drawn(params: Hyperparameters, drawn: Mapping[str, float]) -> Hyperparameters:
    """The parameters with the drawn values, as whole numbers where they are; no cycle longer than the given one.

    A drawn length that does not fit the time counts as the longest that does.
    """
    values = {name: int(value) if name in WHOLE_NUMBERS else float(value) for name, value in drawn.items()}
    longest = params.cycle_epochs
    params = replace(params, **values)  # type: ignore[arg-type]  # names are checked by the spec
    return replace(params, cycle_epochs=min(params.cycle_epochs, longest))


def batch_scale(batch_size: int, reference: int) -> float:
    """Factor on the learning rate for a batch size: the square root of its ratio to ``reference``.

    Linear scaling is right where gradient noise dominates, and no scaling where curvature does (Smith et al. 2018,
    McCandlish et al. 2018); the root is between the two, and bracketing searches around it.
    """
    return math.sqrt(batch_size / reference)
