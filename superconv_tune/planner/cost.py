"""Predict the duration of trials from those that ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from statistics import median

import numpy as np

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Cycle, Trial, TrialOutcome

SLACK = 1.1  # factor by which a trial is expected to take longer than the median one of its size
RECENT = 12  # number of latest outcomes that the correction uses
LOOK_BACK = 400  # latest trials, besides one for each worker, among which they are searched; else nearly all fail


@dataclass(frozen=True)
class CostModel:
    """Predicts the seconds of a trial from its parameters.

    Attributes:
        train_items: number of training examples.
        step_s: measured seconds of one optimizer step, by batch size.
        eval_s: seconds of one evaluation of the validation part.
        overhead_s: seconds of a trial besides training and evaluation: the median of finished trials, at first a guess.
            Trials asked for before the first one came back waited for their worker to start, and do not count.
        test_s: seconds by which a fresh model takes longer: those of the evaluation of the test part.
        correction: measured divided by predicted seconds, the median over finished trials, weighed by their seconds,
            because the first ones load code. Those that floors and ceilings were computed beside, on the same
            processors, do not count if there are others. The median is used even if machines differ in speed: in
            simulated clusters the slowest one's, or a mean over nodes, left fewer complete trials and fresh seeds, and
            a trial on a slow node adapts its own pace to its deadline.
    """

    train_items: int
    step_s: Mapping[int, float]
    eval_s: float
    overhead_s: float
    test_s: float = 0.0
    correction: float = 1.0

    @staticmethod
    def of(study: Study) -> CostModel:
        """The model fitted to the trials of the study so far."""
        measured = study.opened.measured
        prior = CostModel(
            train_items=measured.train_items,
            step_s={int(size): seconds for size, seconds in measured.step_s.items()},
            eval_s=measured.eval_s,
            overhead_s=measured.overhead_s,
            test_s=measured.eval_s * measured.test_items / max(1, measured.validation_items),
        )
        latest = islice(reversed(study.requests), LOOK_BACK + study.workers)
        trials = study.came_back(study.requests[key] for key in latest)
        seen = list(islice(((trial, ratio) for trial in trials if (ratio := prior.ratio(trial)) is not None), RECENT))
        if not seen:
            return prior
        alone = [each for each in seen if study.asked_at[each[0].request.trial_id] >= study.surveyed_at]
        correction = _weighed_median([(ratio, trial.outcome.train_s) for trial, ratio in alone or seen])
        first, turnaround_s = next(iter(study.turnaround_s.items()))  # in the order in which they came back
        first_s = study.asked_at[first] + turnaround_s
        later = [trial.outcome for trial, _ in seen if study.asked_at[trial.request.trial_id] >= first_s]
        return replace(
            prior,
            correction=correction,
            test_s=correction * prior.test_s,
            overhead_s=median(_around_s(study, outcome) for outcome in later) if later else prior.overhead_s,
        )

    def steps(self, params: Hyperparameters) -> int:
        """Optimizer steps of the cycle."""
        return max(1, round(params.cycle_epochs * self.steps_per_epoch(params.batch_size)))

    def steps_per_epoch(self, batch_size: int) -> int:
        """Full batches in one pass over the training part."""
        return max(1, self.train_items // batch_size)

    def seconds(self, params: Hyperparameters, slack: float = SLACK) -> float:
        """Wall seconds of one cycle: the predicted ones times ``slack``, by default enough for nearly every trial."""
        work = self.steps(params) * self.step_seconds(params.batch_size) + self.eval_s
        return slack * self.correction * work + self.overhead_s

    def fresh_s(self, params: Hyperparameters, slack: float = SLACK) -> float:
        """Wall seconds of a fresh model: those of its cycle, and of the evaluation of the test part."""
        return self.seconds(params, slack) + self.test_s

    def epochs_in(self, params: Hyperparameters, seconds: float, slack: float) -> float:
        """Length of the cycle that takes so many seconds with these parameters; 0 if even an evaluation takes more."""
        work_s = (seconds - self.overhead_s) / (slack * self.correction) - self.eval_s
        steps = max(0.0, work_s / self.step_seconds(params.batch_size))
        return steps / self.steps_per_epoch(params.batch_size)

    def same_time(self, params: Hyperparameters, batch_size: int) -> float:
        """Length of the cycle with this batch size whose steps take as long as those of a cycle with ``params``."""
        if batch_size == params.batch_size:
            return params.cycle_epochs
        step_s, other_s = self.step_seconds(params.batch_size), self.step_seconds(batch_size)
        epoch_ratio = step_s * self.steps_per_epoch(params.batch_size) / (other_s * self.steps_per_epoch(batch_size))
        return params.cycle_epochs * epoch_ratio

    def ramp_s(self, params: Hyperparameters, steps: int) -> float:
        """Predicted wall seconds of a trial of ``steps`` steps of ramps and nothing else."""
        return SLACK * self.correction * steps * self.step_seconds(params.batch_size) + self.overhead_s

    def ratio(self, trial: Trial) -> float | None:
        """Measured divided by predicted seconds of a whole cycle; None for a trial that did not finish one."""
        outcome = trial.outcome
        if outcome.status != "finished" or outcome.steps == 0 or not isinstance(trial.request.work, Cycle):
            return None
        predicted = outcome.steps * self.step_seconds(trial.request.params.batch_size) + self.eval_s
        predicted += self.test_s * trial.request.cycle.reads_test
        return (outcome.train_s + outcome.eval_s) / predicted

    def step_seconds(self, batch_size: int) -> float:
        """Measured seconds of one step: linear between measured batch sizes, beyond them in proportion to the size."""
        if batch_size in self.step_s:
            return self.step_s[batch_size]
        sizes = sorted(self.step_s)
        nearest = float(np.clip(batch_size, sizes[0], sizes[-1]))
        between = float(np.interp(nearest, sizes, [self.step_s[size] for size in sizes]))
        return between * max(1.0, batch_size / nearest)


def _around_s(study: Study, outcome: TrialOutcome) -> float:
    """Seconds that a trial took besides its training, evaluation and ramps, as measured by the driver."""
    within = outcome.train_s + outcome.eval_s + outcome.range_test_s
    return max(0.0, study.turnaround_s[outcome.trial_id] - within)


def _weighed_median(values: Sequence[tuple[float, float]]) -> float:
    """The value at which half of the weight is reached, of pairs of value and weight."""
    ordered = sorted(values)
    reached = np.cumsum([weight for _, weight in ordered])
    return ordered[int(np.searchsorted(reached, 0.5 * reached[-1]))][0]
