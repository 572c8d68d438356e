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

OWN_RAMP_STEPS = (40, 180)  # a trial's own ramp is long enough to be read, and never longer than a first one


@dataclass(frozen=True)
class Draft:
    """A search trial but for what follows from its parameters.

    Attributes:
        trial_id: as in the request, like all below that are not explained.
        seed: of the trial.
        rung: of the ladder.
        deadline: Unix time.
        schedule: of the cycle.
        precision: number format.
        defaults: parameters of what is not drawn, at the length of the rung.
        own_ramp: the ramp before a cycle of the defaults; None for none.
        rule: the pick for any cycle length with the default batch size.
        parent: id of the trial whose configuration is promoted; None where it comes from the sampler.
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
        """The trial with these parameters: with the pick, and a ramp, for their length and their batch size."""
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
        """The ramp in proportion to the steps of the cycle."""
        if self.own_ramp is None:
            return None
        steps = own_ramp_steps(self.own_ramp.steps * _steps(params) / _steps(self.defaults))
        return replace(self.own_ramp, steps=steps)


@dataclass(frozen=True)
class Draw:
    """A search trial for which the proposer chooses what is not fixed.

    Attributes:
        study: the proposer's study of the rung.
        fixed: parameters that the proposer must take as they are.
        draft: the rest of the request.
        warm_start: the study of the rung below, that this one learns from before its first trial; None for none.
    """

    study: str
    fixed: Mapping[str, float]
    draft: Draft
    warm_start: str | None = None

    def request(self, drawn: Mapping[str, float], proposal: Proposal) -> TrialRequest:
        """The complete request.

        Args:
            drawn: all parameters that the proposer knows, the fixed ones included.
            proposal: where the proposer keeps them.
        """
        return self.draft.request(_with_drawn(self.draft.defaults, drawn), proposal)


@dataclass(frozen=True)
class Redraw:
    """A search trial that was lost, for the proposer to keep as a new proposal with the same parameters.

    Attributes:
        lost: the request of the next attempt, with the proposal of the last one.
        fixed: all parameters that the proposer knows.
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
        """The complete request; nothing is drawn, for everything is fixed."""
        assert isinstance(self.lost.purpose, FromProposer)
        return replace(self.lost, purpose=replace(self.lost.purpose, proposal=proposal))


Decision = TrialRequest | Draw | Redraw | Plan | Recipe | Signal


def own_ramp_steps(wanted: float) -> int:
    """The wanted number of steps, within `OWN_RAMP_STEPS`."""
    low, high = OWN_RAMP_STEPS
    return min(high, max(low, round(wanted)))


def _steps(params: Hyperparameters) -> float:
    """Optimizer steps of a cycle, up to a factor that all trials share."""
    return params.cycle_epochs / params.batch_size


def _with_drawn(params: Hyperparameters, drawn: Mapping[str, float]) -> Hyperparameters:
    """The parameters with those that were drawn; the batch size is a whole number."""
    values = {name: int(value) if name == "batch_size" else float(value) for name, value in drawn.items()}
    return replace(params, **values)  # type: ignore[arg-type]  # names are checked by the spec


def batch_scale(params: Hyperparameters, reference: int) -> float:
    """How the pick moves with the batch size: by its square root.

    Linear scaling holds where the gradient noise dominates, none where curvature does (Smith et al. 2018, McCandlish et
    al. 2018); the root is the middle of the two, and ``lr_multiplier`` searches around it.
    """
    return math.sqrt(params.batch_size / reference)
