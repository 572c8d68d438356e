"""A trial that fits: what it measures, when it reads the test part, and how it ends early."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from superconv_tune.core.bits import unpack
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.schedule import Schedule
from superconv_tune.problems.problem import Metric, Problem
from superconv_tune.record.purpose import Fitted
from superconv_tune.record.trial import Fit, TrialOutcome, TrialRequest
from superconv_tune.trial.run import run
from tests.fakes import CLASSES, FakeClock, MemoryTracker, TensorPart, toy_problem


@dataclass
class Centres:
    """Fits the centre of every class, and says the nearest; takes ``seconds`` of a clock."""

    problem: Problem
    clock: FakeClock
    seconds: float = 1.0
    asked: list[tuple[Mapping[str, object], int]] = field(default_factory=list)

    def fit(self, options: Mapping[str, object], seed: int, left_s: Callable[[], float]) -> NearestCentre:
        self.asked.append((options, seed))
        if left_s() < 0.1:
            raise TimeoutError("no time")
        inputs, targets = next(self.problem.train.stream(480, 0))
        self.clock.advance(min(self.seconds, left_s()))
        centres = torch.stack([inputs[targets == each].mean(0) for each in range(CLASSES)])
        return NearestCentre(self.problem, centres, is_whole=left_s() > 0.0)


@dataclass(frozen=True)
class NearestCentre:
    problem: Problem
    centres: Tensor
    is_whole: bool
    size_bytes: int = 123

    def outputs(self, part: str, device: torch.device) -> Tensor:
        inputs = getattr(self.problem, part).inputs
        return -torch.cdist(inputs, self.centres).to(device)


def fitted(
    *,
    reads_test: bool = False,
    left_s: float = 100.0,
    metric: Metric | None = None,
    groups: NDArray[np.int64] | None = None,
) -> tuple[TrialOutcome, Problem, Centres]:
    clock, problem = FakeClock(), toy_problem()
    problem = replace(problem, metric=metric or problem.metric, test_groups=groups)
    fitter = Centres(problem, clock)
    request = TrialRequest(
        "1",
        1,
        Fitted(),
        Fit({"option": 3}, reads_test=reads_test),
        params=Hyperparameters(),
        schedule=Schedule(),
        seed=7,
        deadline=clock.now + left_s,
        family="centres",
    )
    outcome = run(request, replace(problem, fitter=fitter), MemoryTracker(), clock)
    return outcome, problem, fitter


def test_a_fit_is_validated_and_the_test_part_is_not_touched() -> None:
    outcome, problem, fitter = fitted()
    assert (outcome.status, outcome.shortened, outcome.model_bytes) == ("finished", False, 123)
    assert outcome.validation == outcome.objective
    assert outcome.objective > 0.8
    assert (outcome.train_s, outcome.steps, outcome.max_lr, outcome.test) == (1.0, 0, None, None)
    assert fitter.asked == [({"option": 3}, 7)]
    assert isinstance(problem.test, TensorPart)
    assert problem.test.reads == []


def test_a_confirmation_says_which_test_items_are_right() -> None:
    outcome, problem, _ = fitted(reads_test=True)
    assert outcome.test_correct is not None
    assert unpack(outcome.test_correct, outcome.test_items).mean() == pytest.approx(outcome.test)
    assert outcome.test_items == len(problem.test)
    assert outcome.test_se is None  # the items themselves are known


def test_the_noise_of_a_metric_that_is_no_mean_over_items_is_that_of_samples_of_them() -> None:
    metric = replace(toy_problem().metric, correct=None)
    outcome, problem, _ = fitted(reads_test=True, metric=metric)
    assert outcome.test is not None
    of_a_mean = (outcome.test * (1.0 - outcome.test) / len(problem.test)) ** 0.5
    assert outcome.test_se == pytest.approx(of_a_mean, rel=0.25)


def test_where_items_come_in_groups_the_samples_are_of_groups() -> None:
    """Twenty groups, of which one or two are all wrong."""
    known, _, _ = fitted(reads_test=True)
    assert known.test_correct is not None
    places = np.argsort(np.argsort(unpack(known.test_correct, known.test_items), kind="stable"))
    metric = replace(toy_problem().metric, correct=None)
    alone, _, _ = fitted(reads_test=True, metric=metric)
    grouped, _, _ = fitted(reads_test=True, metric=metric, groups=places // 10)
    assert grouped.test_se is not None
    assert alone.test_se is not None
    assert grouped.test_se > 1.8 * alone.test_se


def test_a_fit_that_time_ended_is_marked() -> None:
    assert fitted(left_s=1.2)[0].shortened


def test_a_fit_without_time_ends_as_a_deadline() -> None:
    outcome, problem, _ = fitted(left_s=0.55)
    assert (outcome.status, outcome.reason) == ("deadline", "no time")
    assert outcome.objective == problem.trivial_value


def test_a_network_cannot_be_fitted() -> None:
    clock = FakeClock()
    request = TrialRequest(
        "1",
        1,
        Fitted(),
        Fit(),
        params=Hyperparameters(),
        schedule=Schedule(),
        seed=7,
        deadline=clock.now + 9.0,
    )
    assert run(request, toy_problem(), MemoryTracker(), clock).status == "code_error"
