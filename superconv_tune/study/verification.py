"""Train the recipe of an old study again: does it still reach what the study reported?"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from superconv_tune.core.codec import encode
from superconv_tune.core.errors import UserError
from superconv_tune.journal.journal import Journal
from superconv_tune.planner.evidence import confirmed
from superconv_tune.problems.payload import realise
from superconv_tune.problems.prepare import prepare
from superconv_tune.problems.problem import Problem
from superconv_tune.problems.try_out import try_out
from superconv_tune.record.trial import Trial, TrialRequest
from superconv_tune.study.environment import changes, describe
from superconv_tune.study.machine import require_writable
from superconv_tune.study.question import threads
from superconv_tune.study.refusal import refuse_changes
from superconv_tune.study.stored import existing, stored
from superconv_tune.training.memory import device_for
from superconv_tune.trial.run import run
from superconv_tune.trial.trackers import NullTracker
from superconv_tune.verdict.statistics import difference, interval

LEVEL = 0.99  # of the interval of the difference: one correct repetition in a hundred disagrees by chance
STREAM = 7  # keeps the seeds of a verification apart from those of the search
PATIENCE_S = 1e6  # far away, so that no deadline shortens a repetition
FILE = "verification.json"


@dataclass(frozen=True)
class Repetition:
    """One model that was trained again.

    Attributes:
        seed: seed of the trial.
        is_fresh: whether the seed is new to the study.
        test: metric on the test part.
        recorded: test metric in the study for this seed; None for a fresh one.
    """

    seed: int
    is_fresh: bool
    test: float
    recorded: float | None = None


@dataclass(frozen=True)
class Agreement:
    """Whether the repetition agrees with the study.

    Attributes:
        metric: name of the metric.
        recorded: test metrics of the study's fresh models.
        fresh: test metrics of the fresh models trained now.
        difference: mean of ``fresh`` minus mean of ``recorded``.
        low: lower end of the interval of the difference at `LEVEL`, over seeds.
        high: upper end of that interval.
        same_seed: test metric now minus then for one seed of the study; 0 on the same machine.
        agrees: whether the interval contains 0.
        changes: what has changed since in code, versions and device, and the user accepted.
    """

    metric: str
    recorded: tuple[float, ...]
    fresh: tuple[float, ...]
    difference: float
    low: float
    high: float
    same_seed: float
    agrees: bool
    changes: tuple[str, ...] = ()


class Verification:
    """The recipe of a study, ready to be trained again in this process, without a cluster and without MLflow.

    Raises:
        UserError: if there is no such study, nothing was confirmed in it, its folder cannot be written, its data have
            changed, or something else has changed and was not accepted.
    """

    def __init__(self, name: str, output: str, storage: str | None, *, accept_changes: bool = False) -> None:
        where = existing(Path(output), name, storage)
        with Journal(where.storage) as journal:
            self._stored = stored(journal, where)
        self._spec = self._stored.spec
        self._trials = confirmed(self._stored.study)
        if len(self._trials) < 2:
            raise UserError(
                f"{name!r} has {len(self._trials)} confirmed models, and at least two are needed to compare with. Give "
                f"it more time: {where.command('search', '--budget', '+20m')}."
            )
        self._folder = where.folder
        require_writable(self._folder)
        self._problem = self._realised(accept_changes)

    @property
    def metric(self) -> str:
        """Name of the metric."""
        return self._problem.metric.name

    def repetitions(self, seeds: int) -> Iterator[Repetition]:
        """Train one seed of the study, then ``seeds`` fresh ones, and yield each when it is trained.

        Raises:
            UserError: if a model can no longer be trained.
        """
        first, recorded = self._trials[0].request, _value(self._trials[0])
        yield Repetition(first.seed, is_fresh=False, test=self._test(first), recorded=recorded)
        for number in range(seeds):
            state = np.random.SeedSequence([self._spec.seed, STREAM, number]).generate_state(1)
            seed = int(state[0])
            yield Repetition(seed, is_fresh=True, test=self._test(replace(first, seed=seed)))

    def judge(self, repetitions: list[Repetition]) -> Agreement:
        """Compare the repetitions with the study."""
        recorded = tuple(_value(trial) for trial in self._trials)
        fresh = tuple(repetition.test for repetition in repetitions if repetition.is_fresh)
        spread = difference(fresh, recorded)
        low, high = interval(spread, LEVEL)
        again = next(repetition for repetition in repetitions if not repetition.is_fresh)
        return Agreement(
            metric=self.metric,
            recorded=recorded,
            fresh=fresh,
            difference=spread.mean,
            low=low,
            high=high,
            same_seed=again.test - (again.recorded or 0.0),
            agrees=low <= 0.0 <= high,
            changes=self._changes,
        )

    def write(self, agreement: Agreement) -> None:
        """Write the agreement into the study's folder."""
        self._folder.mkdir(parents=True, exist_ok=True)  # where only the journal is here, it is not
        (self._folder / FILE).write_text(json.dumps(encode(agreement), indent=2) + "\n", encoding="utf-8")

    def _test(self, request: TrialRequest) -> float:
        again = replace(request, trial_id="verify", attempt=1, deadline=time.time() + PATIENCE_S)
        outcome = run(again, self._problem, NullTracker(), time.time)
        if outcome.test is None or not math.isfinite(outcome.test):
            raise UserError(f"The recipe can no longer be trained: it ended as {outcome.status}. {outcome.reason}")
        return outcome.test

    def _realised(self, accept_changes: bool) -> Problem:  # noqa: FBT001 - an option
        payload, card = prepare(self._spec)
        change = self._stored.data_change(card)
        if change:
            raise UserError(
                f"The data of {self._stored.name!r} have changed since the search ({change}), so its figures cannot "
                f"be repeated."
            )
        self._changes = changes(self._stored.study.environment, describe(payload, card))
        refuse_changes(self._stored.name, self._changes, accepted=accept_changes)
        torch.set_num_threads(threads(self._spec))  # as the workers did, for another number may round differently
        device = device_for(with_gpu=self._spec.resources.gpus_per_trial != 0)
        request = self._trials[0].request
        payload = payload.of(request.family)
        if payload.is_fitted:
            return realise(payload, device)
        _, problem, _ = try_out(payload, device, request.params)
        return problem


def _value(trial: Trial) -> float:
    value = trial.outcome.test
    assert value is not None
    return value
