"""What the planner can answer when a worker is free."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.horizon import HorizonRule
from superconv_tune.lr.schedule import Schedule
from superconv_tune.record.conductor import Signal
from superconv_tune.record.plan import Plan
from superconv_tune.record.purpose import FromProposer, Promoted, Proposal, Sampled
from superconv_tune.record.recipe import Recipe
from superconv_tune.record.trial import Cycle, OwnRamp, Precision, TrialRequest

OWN_RAMP_STEPS = (
    40,
    180,
)  # least and most steps of a trial's own ramp: enough to be analysed, no more than a first ramp


@dataclass(frozen=True)
class Draft:
    """A search trial without its parameters and what depends on them.

    Attributes:
        trial_id: as in the request.
        seed: as in the request.
        rung: as in the request.
        deadline: as in the request.
        schedule: as in the request.
        precision: as in the request.
        defaults: values of the parameters that are not drawn, with the cycle length of the rung.
        own_ramp: the ramp before a cycle of the default parameters; None for none.
        rule: gives the learning rate for any cycle length at the default batch size.
        parent: id of the trial whose configuration is promoted; None if it comes from the sampler.
    """

    trial_id: str
    seed: int
    rung: int
    deadline: float
    schedule: Schedule
    precision: Precision
    defaults: Hyperparameters
    own_ramp: OwnRamp | None
    rule: HorizonRule
    parent: str | None = None

    def request(self, params: Hyperparameters, proposal: Proposal) -> TrialRequest:
        """The request with these parameters, and the learning rate and own ramp for their length and batch size."""
        pick_lr = self.rule.max_lr(params.cycle_epochs) * batch_scale(params, self.defaults.batch_size)
        purpose = Sampled(proposal, pick_lr) if self.parent is None else Promoted(self.parent, proposal, pick_lr)
        return TrialRequest(
            trial_id=self.trial_id,
            attempt=1,
            purpose=purpose,
            work=Cycle(pick_lr * params.lr_multiplier, self._ramp(params)),
            params=params,
            schedule=self.schedule,
            seed=self.seed,
            deadline=self.deadline,
            rung=self.rung,
            precision=self.precision,
        )

    def _ramp(self, params: Hyperparameters) -> OwnRamp | None:
        """The own ramp, with steps in proportion to those of the cycle."""
        if self.own_ramp is None:
            return None
        steps = own_ramp_steps(self.own_ramp.steps * _steps(params) / _steps(self.defaults))
        return replace(self.own_ramp, steps=steps)


@dataclass(frozen=True)
class Draw:
    """A search trial for which the proposer draws the parameters that are not fixed.

    Attributes:
        study: key of the proposer's study of the rung.
        fixed: parameters whose value is given.
        draft: the rest of the request.
        warm_start: key of the study of the rung below, from which the sampler learns before the first trial of this
            rung; None for none.
    """

    study: str
    fixed: Mapping[str, float]
    draft: Draft
    warm_start: str | None = None

    def request(self, drawn: Mapping[str, float], proposal: Proposal) -> TrialRequest:
        """The complete request.

        Args:
            drawn: all parameters that the proposer knows, including the fixed ones.
            proposal: where the proposer stores them.
        """
        return self.draft.request(_with_drawn(self.draft.defaults, drawn), proposal)


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


Decision = TrialRequest | Draw | Redraw | Plan | Recipe | Signal


def own_ramp_steps(wanted: float) -> int:
    """Number of steps of a trial's own ramp: ``wanted``, clamped to `OWN_RAMP_STEPS`."""
    low, high = OWN_RAMP_STEPS
    return min(high, max(low, round(wanted)))


def _steps(params: Hyperparameters) -> float:
    """Optimizer steps of a cycle, up to a factor that all trials share."""
    return params.cycle_epochs / params.batch_size


def _with_drawn(params: Hyperparameters, drawn: Mapping[str, float]) -> Hyperparameters:
    """The parameters with the drawn values; the batch size becomes an integer."""
    values = {name: int(value) if name == "batch_size" else float(value) for name, value in drawn.items()}
    return replace(params, **values)  # type: ignore[arg-type]  # names are checked by the spec


def batch_scale(params: Hyperparameters, reference: int) -> float:
    """Factor on the learning rate for a batch size: the square root of its ratio to ``reference``.

    Linear scaling is right where gradient noise dominates, and no scaling where curvature does (Smith et al. 2018,
    McCandlish et al. 2018); the root is between the two, and ``lr_multiplier`` searches around it.
    """
    return math.sqrt(params.batch_size / reference)
