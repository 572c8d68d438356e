"""The samplers, and the one that keeps given parameters as they are."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, GPSampler, QMCSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from superconv_tune.core.space import Dimension, Interval

START_TRIALS = 8  # complete trials before a model is asked; `auto` waits for one per dimension if that is more
MOST_GP_TRIALS = 150  # a Gaussian process costs the cube of the number of trials; beyond this TPE is as good


@dataclass(frozen=True)
class Moment:
    """What determines the sampler of one draw.

    Attributes:
        seed: seed of the study, the same for all of its draws.
        draw_seed: seed of this draw only. It makes a draw depend on the history and not on how often the driver was
            restarted; a long-lived sampler would repeat its first draws after each resume.
        completed: number of trials whose value is known.
        trained: number of those that did not diverge.
        asked: number of trials in any state.
        dimensions: number of parameters that are open in this draw.
        expected_trials: approximate number of trials of the whole search.
    """

    seed: int
    draw_seed: int
    completed: int
    trained: int
    asked: int
    dimensions: int
    expected_trials: int


def random(moment: Moment) -> BaseSampler:
    """Independent random draws, the baseline of every sampler."""
    return RandomSampler(seed=moment.draw_seed)


def qmc(moment: Moment) -> BaseSampler:
    """A scrambled Sobol sequence, more even than random draws; its position is kept in the storage."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # the constructor has kept its form since Optuna 3.0
        return QMCSampler(scramble=True, seed=moment.seed, warn_independent_sampling=False)


def tpe(moment: Moment) -> BaseSampler:
    """Multivariate tree-structured Parzen estimator; running trials count as bad, so that it does not repeat them."""
    return TPESampler(seed=moment.draw_seed, n_startup_trials=START_TRIALS, multivariate=True, constant_liar=True)


def gp(moment: Moment) -> BaseSampler:
    """Gaussian process with expected improvement, which regards running trials and avoids those that do not train.

    Until a trial has trained it draws at random, for there is nothing to improve on.
    """
    if not moment.trained:
        return random(moment)
    return GPSampler(seed=moment.draw_seed, n_startup_trials=START_TRIALS, warn_independent_sampling=False)


def auto(moment: Moment) -> BaseSampler:
    """Sobol points first, then a Gaussian process, or TPE where there will be too many trials for it."""
    if moment.completed < max(START_TRIALS, moment.dimensions) or not moment.trained:
        return qmc(moment)
    return gp(moment) if max(moment.expected_trials, moment.asked) <= MOST_GP_TRIALS else tpe(moment)


class Conditioned(BaseSampler):
    """Draws the open parameters and keeps the given ones.

    Optuna's own ``enqueue_trial`` overwrites a draw that was made for other values, and leaves a waiting trial behind
    if the driver dies at the wrong moment. Here the given parameters are not dimensions of the draw. The space is known
    in advance, so that even the first trial is drawn as a whole, which a Sobol sequence needs.

    Args:
        sampler: draws the open parameters.
        open_dimensions: the open parameters.
        given: values of the other parameters.
    """

    def __init__(
        self, sampler: BaseSampler, open_dimensions: Mapping[str, BaseDistribution], given: Mapping[str, float]
    ) -> None:
        self._sampler = sampler
        self._open = open_dimensions
        self._given = given

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The open parameters that every completed trial has: no model can be fitted to incomplete points."""
        del trial  # the same for all
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return {
            name: distribution
            for name, distribution in self._open.items()
            if not distribution.single() and all(name in known.params for known in complete)
        }

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The sampler's draw of all open parameters together."""
        return self._sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The given value, or the sampler's draw of one parameter."""
        if param_name in self._given:
            return self._given[param_name]
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Call the sampler's own hook."""
        self._sampler.before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Call the sampler's own hook."""
        self._sampler.after_trial(study, trial, state, values)


def distribution(dimension: Dimension) -> BaseDistribution:
    """The dimension in Optuna's terms."""
    if isinstance(dimension, Interval):
        return FloatDistribution(dimension.low, dimension.high, log=dimension.log)
    return CategoricalDistribution(dimension.values)


def contains(dimension: Dimension, value: float) -> bool:
    """Whether the value lies in the dimension."""
    if isinstance(dimension, Interval):
        return dimension.low <= value <= dimension.high
    return value in dimension.values
