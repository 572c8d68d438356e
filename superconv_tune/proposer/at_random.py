"""A proposer that draws at random and learns nothing, in memory and without Optuna."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from superconv_tune.core.space import Dimension, Interval, SearchSpace
from superconv_tune.proposer.proposal import Proposed
from superconv_tune.record.purpose import Proposal
from superconv_tune.record.study import Study
from superconv_tune.record.trial import TrialOutcome


class RandomProposer:
    """Independent draws from the whole space; the same seed gives the same draws in the same order.

    Args:
        space: the dimensions to draw from.
        seed: every draw derives from it.
    """

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self._space = space
        self._rng = np.random.default_rng(seed)
        self._count = 0

    def ask(self, study: str, fixed: Mapping[str, float] | None = None) -> Proposed:
        """Parameters for the next trial of the rung ``study``; those in ``fixed`` come back as they are.

        All dimensions are drawn whatever is fixed, so that fixing one in a trial does not change the next draws.
        """
        drawn = {name: self._draw(dimension) for name, dimension in self._space.items()}
        proposal = Proposal(study, self._count)
        self._count += 1
        return Proposed(proposal, {**drawn, **(fixed or {})})

    def tell(self, proposal: Proposal, outcome: TrialOutcome) -> None:
        """Do nothing: draws do not depend on outcomes."""

    def withdraw(self, proposal: Proposal) -> None:
        """Do nothing: draws do not depend on one another."""

    def warm_start(self, study: str, previous: str) -> None:
        """Do nothing: draws do not depend on outcomes."""

    def reconcile(self, study: Study) -> None:
        """Continue with proposal numbers that no trial of the study has."""
        known = [request.proposal.number for request in study.requests.values() if request.proposal is not None]
        self._count = max([self._count, *(number + 1 for number in known)])

    def _draw(self, dimension: Dimension) -> float:
        if not isinstance(dimension, Interval):
            return float(self._rng.choice(dimension.values))
        if dimension.log:
            return float(np.exp(self._rng.uniform(np.log(dimension.low), np.log(dimension.high))))
        return float(self._rng.uniform(dimension.low, dimension.high))
