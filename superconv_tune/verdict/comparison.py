"""The searched policy against others at equal length, and how many steps it needs to match each.

Everything is measured on the validation part, because the test part is kept for the frozen recipe. Each other policy is
reported at the best of the few learning rates it was tried at, so the searched policy is reported on the same terms: at
the length of the recipe by its fresh seeds, which were not selected, and at other lengths by the expected best of as
many of its trials.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from superconv_tune.core.yardstick import Yardstick
from superconv_tune.record.study import Study
from superconv_tune.record.trial import INFORMATIVE, Trial
from superconv_tune.verdict.ladder import best, independent_items
from superconv_tune.verdict.statistics import LEVEL, Spread, interval, with_known_noise

RATES = 3  # least number of learning rates at which a policy must be tried to be compared
STANDARD = ("step", "constant")  # the standard training that super-convergence is defined against
FASTER = 2.0  # ratio of steps from which it is called super-convergence
BUCKETS_PER_OCTAVE = 2.0  # resolution with which lengths are grouped: those in one bucket count as one length


@dataclass(frozen=True)
class ComparedPolicy:
    """Another policy at its best learning rate, compared with the searched policy.

    Attributes:
        schedule: label of the policy, with its options where they differ from the defaults.
        value: metric on the validation part.
        low: lower end of its 95 % interval, over items and seeds; NaN where neither is known.
        high: upper end of it.
        epochs: length of its runs.
        steps: length of its runs in optimizer steps.
        max_lr: its best learning rate.
        tried: number of learning rates it was tried at.
        at_border: whether the best of them is the lowest or highest, so that the policy may be better than reported.
        rival: value that the searched policy reaches at the same length.
        rival_low: lower end of the 95 % interval of that.
        rival_high: upper end of it.
        gain: by how much ``rival`` is better than ``value``; negative where it is worse, whatever the direction.
        gain_low: lower end of the 95 % interval of the gain.
        gain_high: upper end of it.
        steps_to_match: steps of a cycle of the searched policy that reaches ``value``; None if the longest does not.
        at_most: whether even the shortest cycles reach it, so that ``steps_to_match`` is an upper bound.
        steps_low: lower end of the 95 % interval of ``steps_to_match``; None where it lies below the shortest cycles.
        steps_high: upper end of it; None where it lies beyond the longest.
        is_standard: whether it is one of `STANDARD`.
    """

    schedule: str
    value: float
    low: float
    high: float
    epochs: float
    steps: int
    max_lr: float
    tried: int
    at_border: bool
    rival: float
    rival_low: float
    rival_high: float
    gain: float
    gain_low: float
    gain_high: float
    steps_to_match: int | None
    at_most: bool
    steps_low: int | None
    steps_high: int | None
    is_standard: bool = False


@dataclass(frozen=True)
class RunCost:
    """The cost of runs of other policies, against the time that they were allowed.

    Attributes:
        recipe_epochs: length of the recipe.
        epochs: length of the runs.
        needed_s: worker-seconds to train one policy at `RATES` learning rates.
        left_s: worker-seconds that were left for the comparison.
        allowance_s: worker-seconds that the comparison may take in total.
    """

    recipe_epochs: float
    epochs: float
    needed_s: float
    left_s: float
    allowance_s: float


@dataclass(frozen=True)
class Shortfall:
    """Which policies were not compared, or not at the length of the recipe, and why.

    Attributes:
        asked: policies that were asked for.
        absent: those for which no run was started.
        failed: those that were started, but with too few complete runs to compare.
        ends: number of runs of the failed ones, by how they ended.
        compared_epochs: length of the runs that were compared, in epochs; None where none were.
        cost: cost of the runs; None where no recipe was frozen.
        interrupted: whether the user ended the search.
        is_fitted: whether the recipe is fitted and not trained in cycles, so that there is nothing to compare.
    """

    asked: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    ends: Mapping[str, int] = field(default_factory=dict)
    compared_epochs: float | None = None
    cost: RunCost | None = None
    interrupted: bool = False
    is_fitted: bool = False


def compare(study: Study, yardstick: Yardstick) -> tuple[ComparedPolicy, ...]:
    """Compare every policy that was tried with the current recipe at `RATES` or more rates, in the order of asking."""
    by_policy: dict[str, list[Trial]] = {}
    for trial in study.came_back(study.of_recipe("baseline")):
        if trial.outcome.status in INFORMATIVE and not trial.outcome.shortened:
            by_policy.setdefault(trial.request.schedule.label, []).append(trial)
    judge = _Judge(study, yardstick)
    found = [judge.baseline(trials) for trials in by_policy.values() if len(trials) >= RATES]
    return tuple(baseline for baseline in found if baseline is not None)


def super_convergence(baselines: Sequence[ComparedPolicy]) -> bool | None:
    """Whether the searched policy needs at most half the steps of standard training; None where that is unclear.

    Standard training is the better of the piecewise constant policies that were tried.
    """
    standard = [baseline for baseline in baselines if baseline.is_standard]
    if not standard:
        return None
    hardest = min(standard, key=lambda baseline: baseline.gain)
    bound = hardest.steps / FASTER
    if hardest.steps_high is not None and hardest.steps_high <= bound:
        return True
    return False if (hardest.steps_low or 0) > bound else None


def length_to_reach(curve: Sequence[tuple[float, float]], wanted: float) -> float:
    """Epochs at which a policy reaches ``wanted``, interpolated linearly in log(epochs) along the curve.

    A longer cycle counts as at least as good as a shorter one, so the answer is the first crossing.

    Args:
        curve: (epochs, worth) of complete cycles, at least one; higher worth is better.
        wanted: worth to reach.

    Returns:
        The length; 0 where even the shortest cycle is enough, infinity where the longest is not.
    """
    lengths, worths = zip(*sorted(curve), strict=True)
    reached = np.maximum.accumulate(np.asarray(worths, dtype=np.float64))
    at = int(np.searchsorted(reached, wanted))
    if at == 0:
        return 0.0
    if at == len(reached):
        return math.inf
    share = (wanted - reached[at - 1]) / (reached[at] - reached[at - 1])
    return float(lengths[at - 1] * (lengths[at] / lengths[at - 1]) ** share)


def expected_best(worths: Sequence[float], tries: int) -> float:
    """Expected best of ``tries`` worths drawn without replacement; the best of all where there are fewer.

    Dodge et al. 2019 (arXiv:1909.03004) compare searches of different sizes in this way. Of n in ascending order the
    i-th is the best of k with probability ``C(i-1, k-1) / C(n, k)``.
    """
    ranked, k = sorted(worths), min(tries, len(worths))
    chances = [math.comb(i, k - 1) / math.comb(len(ranked), k) for i in range(len(ranked))]
    return math.fsum(worth * chance for worth, chance in zip(ranked, chances, strict=True))


@dataclass(frozen=True)
class _Level:
    """A worth (higher is better) with its interval."""

    worth: float
    low: float
    high: float


@dataclass(frozen=True)
class _Judge:
    study: Study
    yardstick: Yardstick

    def baseline(self, trials: Sequence[Trial]) -> ComparedPolicy | None:
        """Compare one policy; None if none of its trials finished, or the searched policy has none of that length."""
        best_one = best((trial for trial in trials if trial.outcome.status == "finished"), self.yardstick)
        if best_one is None:
            return None
        request, outcome = best_one.request, best_one.outcome
        rates = sorted({trial.request.cycle.max_lr for trial in trials})
        curve = self._curve(len(rates))
        rival = curve.get(_bucket(request.params.cycle_epochs))
        if rival is None:
            return None
        worth = self.yardstick.worth  # its own inverse
        items = independent_items(best_one, self.yardstick)
        own, other = self._level(outcome.objective, 1, items), self._level(worth(rival[1]), rival[2], items)
        # Newcombe's interval of a difference (1998, method 10). Both are measured on the same items, which makes their
        # difference less noisy than that of independent values: the interval is rather too wide.
        down = math.hypot(own.worth - own.low, other.high - other.worth)
        up = math.hypot(own.high - own.worth, other.worth - other.low)
        gain = other.worth - own.worth
        ends = sorted((worth(own.low), worth(own.high)))
        rival_ends = sorted((worth(other.low), worth(other.high)))
        match = _match([(epochs, worth) for epochs, worth, _ in curve.values()], own.worth, (down, up))
        per_epoch = outcome.steps / request.params.cycle_epochs
        return ComparedPolicy(
            schedule=request.schedule.label,
            value=outcome.objective,
            low=ends[0],
            high=ends[1],
            epochs=request.params.cycle_epochs,
            steps=outcome.steps,
            max_lr=request.cycle.max_lr,
            tried=len(rates),
            at_border=request.cycle.max_lr in (rates[0], rates[-1]),
            rival=worth(other.worth),
            rival_low=rival_ends[0],
            rival_high=rival_ends[1],
            gain=gain,
            gain_low=gain - up,
            gain_high=gain + down,
            steps_to_match=_steps(match.epochs, per_epoch),
            at_most=match.is_bound,
            steps_low=_steps(match.low, per_epoch),
            steps_high=_steps(match.high, per_epoch),
            is_standard=request.schedule.name in STANDARD,
        )

    def _curve(self, tries: int) -> dict[int, tuple[float, float, int]]:
        """(epochs, worth, number of models behind it) of the searched policy, by bucket of length."""
        buckets: dict[int, list[Trial]] = {}
        for trial in self.study.trials("search"):
            if trial.is_whole or trial.went_wrong:
                buckets.setdefault(_bucket(trial.request.params.cycle_epochs), []).append(trial)
        curve = {
            bucket: (_mean_length(trials), expected_best(self._worths(trials), tries), 1)
            for bucket, trials in buckets.items()
        }
        fresh = self.study.fresh_models()
        if fresh:
            epochs = fresh[0].request.params.cycle_epochs
            worth = float(np.mean(self._worths(fresh)))
            curve[_bucket(epochs)] = (epochs, worth, len(fresh))
        return curve

    def _level(self, value: float, models: int, items: float | None) -> _Level:
        repeats = [trial.value for trial in self.study.fresh_models()]
        spread: Spread = with_known_noise(value, models, items, repeats)
        worths = sorted(map(self.yardstick.worth, interval(spread, LEVEL)))
        return _Level(self.yardstick.worth(value), worths[0], worths[1])

    def _worths(self, trials: Sequence[Trial]) -> list[float]:
        return [self.yardstick.worth(trial.value) for trial in trials]


@dataclass(frozen=True)
class _Match:
    """The length that reaches a worth, with its interval; ``is_bound`` where a shorter one might reach it too."""

    epochs: float | None
    low: float | None
    high: float | None
    is_bound: bool


def _match(curve: Sequence[tuple[float, float]], worth: float, spread: tuple[float, float]) -> _Match:
    """The length at which a curve reaches ``worth``, with an interval from the margins below and above it."""
    shortest, longest = min(curve)[0], max(curve)[0]
    down, up = spread
    needed = length_to_reach(curve, worth)
    low = min(longest, length_to_reach(curve, worth - down)) if math.isfinite(down) else 0.0
    high = max(shortest, length_to_reach(curve, worth + up)) if math.isfinite(up) else math.inf
    return _Match(
        epochs=max(shortest, needed) if math.isfinite(needed) else None,
        low=low or None,
        high=high if math.isfinite(high) else None,
        is_bound=needed == 0.0,
    )


def _bucket(epochs: float) -> int:
    return round(BUCKETS_PER_OCTAVE * math.log2(epochs))


def _mean_length(trials: Sequence[Trial]) -> float:
    return math.exp(math.fsum(math.log(trial.request.params.cycle_epochs) for trial in trials) / len(trials))


def _steps(epochs: float | None, per_epoch: float) -> int | None:
    return None if epochs is None else round(epochs * per_epoch)
