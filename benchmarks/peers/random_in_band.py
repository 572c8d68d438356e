"""Random search of complete one-cycles of one length, with peaks inside the band of our range test."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import replace

import numpy as np

from benchmarks.peers.crew import Cycle, crew, cycle, time_left, worker
from benchmarks.peers.tasks import BATCH_SIZES
from benchmarks.peers.training import WORKERS, Job, Recipe
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.lr_range import pool
from superconv_tune.lr.schedule import Schedule
from superconv_tune.record.purpose import RangeTest
from superconv_tune.record.trial import Ramps, TrialOutcome, TrialRequest
from superconv_tune.trial.run import run as run_trial
from superconv_tune.trial.trackers import NullTracker

RAMP_SHARE = 0.1  # of the time, at most, for the range test; it takes about 3 % of five minutes
RAMP = Ramps(1e-4, 10.0, steps=200, is_centred=False)  # 40 steps per decade
PER_WORKER = 8  # trials that fit, about
SPARE = 0.9  # share of the time that they are planned for: small batches take longer than the ramp's
BAND_ELSE = (0.01, 0.1)  # where the range test gave none
DECAYS, LOWEST_MOMENTA, MOMENTUM_WIDTH = (1e-6, 1e-2), (0.75, 0.88), 0.1
BATCH_SIZE = 64  # of the range test

Band = tuple[float, float]


def run(job: Job) -> None:
    """Range test, then random trials while they fit."""
    random = np.random.default_rng(job.seed)
    with crew(job) as workers:
        ramp_end = time.time() + RAMP_SHARE * (job.deadline - job.started)
        ramps = list(workers.map(ramp, [job.seed, job.seed + 1], [ramp_end] * WORKERS))
        band = band_of(ramps)
        epochs = length(time_left(job), epoch_s(ramps) or _measured_epoch_s(workers, job))
        _search(workers, job, lambda: drawn(random, band, epochs))


def ramp(seed: int, deadline: float) -> tuple[TrialOutcome, float]:
    """The program's range test in a worker, and the steps of one epoch in it."""
    here = worker()
    params = replace(Hyperparameters(), batch_size=BATCH_SIZE)
    request = TrialRequest(
        trial_id="ramp",
        attempt=1,
        purpose=RangeTest(),
        work=RAMP,
        params=params,
        schedule=Schedule(),
        seed=seed,
        deadline=deadline,
        precision=here.job.precision,
    )
    outcome = run_trial(request, here.problem, NullTracker(), time.time)
    here.diary.note_ramp(outcome.range_test_s)
    return outcome, float(here.problem.train.steps_per_epoch(BATCH_SIZE))


def band_of(ramps: list[tuple[TrialOutcome, float]]) -> Band:
    """From a tenth of the rate of lowest loss up to that rate."""
    results = [outcome.range_test for outcome, _ in ramps if outcome.status == "finished" and outcome.range_test]
    pooled = pool(results)
    return BAND_ELSE if pooled.refusal else (pooled.min_lr, pooled.lr_at_minimum)


def epoch_s(ramps: list[tuple[TrialOutcome, float]]) -> float:
    """Seconds of one epoch with both workers busy; 0 if no step was taken."""
    found = [
        steps * outcome.range_curve.elapsed_s[-1] / outcome.range_curve.step[-1]
        for outcome, steps in ramps
        if outcome.range_curve is not None and len(outcome.range_curve) > 1
    ]
    return float(np.mean(found)) if found else 0.0


def _measured_epoch_s(workers: ProcessPoolExecutor, job: Job) -> float:
    """Seconds of one epoch, from one that is trained."""
    recipe = Recipe(replace(Hyperparameters(), cycle_epochs=1.0, batch_size=BATCH_SIZE), BAND_ELSE[1], job.seed)
    return max(trained.seconds for trained in workers.map(cycle, [recipe] * WORKERS))


def length(left_s: float, one_epoch_s: float) -> float:
    """Epochs of all trials, so that about `PER_WORKER` of them fit; at least a tenth of one."""
    return max(0.1, SPARE * left_s / PER_WORKER / one_epoch_s)


def drawn(random: np.random.Generator, band: Band, epochs: float) -> Recipe:
    """A random recipe."""
    params = replace(
        Hyperparameters(),
        cycle_epochs=epochs,
        batch_size=int(random.choice(BATCH_SIZES)),
        weight_decay=_log_uniform(random, *DECAYS),
        base_momentum=float(random.uniform(*LOWEST_MOMENTA)),
        momentum_width=MOMENTUM_WIDTH,
    )
    return Recipe(params, _log_uniform(random, *band), int(random.integers(2**31)))


def _log_uniform(random: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def _search(workers: ProcessPoolExecutor, job: Job, draw: Callable[[], Recipe]) -> None:
    running: set[Future[Cycle]] = set()
    slowest_s = 0.0
    while True:
        while len(running) < WORKERS and time_left(job) > slowest_s:
            running.add(workers.submit(cycle, draw()))
        if not running:
            return
        ended, running = wait(running, return_when=FIRST_COMPLETED)
        slowest_s = max([slowest_s, *(each.result().seconds for each in ended)])
