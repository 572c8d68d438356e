"""The world of replays, a search replayed in it, and the table and page of what was replayed."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.division import report
from benchmarks.division.replay import PHASES, Question, idle_shares, lines, replay
from benchmarks.division.report import OURS, Found, Job, left_out
from benchmarks.division.rivals import RIVALS
from benchmarks.division.world import (
    LONGEST,
    RAMP_ERROR,
    REFUSED,
    Setting,
    TabledWorld,
    Task,
    tasks,
)
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.schedule import Schedule
from superconv_tune.record import trial as trials
from superconv_tune.record.events import Event, Observed, Requested
from superconv_tune.record.purpose import Baseline, Confirm, Probe, Purpose, RangeTest
from superconv_tune.record.trial import Ramps, TrialOutcome, TrialRequest
from tests.benchmarks.planted_cycles import PLANTED, write

PHOTOS, PHONEME = PLANTED[0], PLANTED[2]
VALIDATION, TEST = PHOTOS.items[1:]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of planted cycles."""
    found: Path = tmp_path_factory.mktemp("cycles")
    write(found)
    return found


@pytest.fixture(scope="module")
def photos(folder: Path) -> Task:
    return tasks(folder)[PHOTOS.name]


def request(purpose: Purpose, max_lr: float = 0.05, seed: int = 0, deadline: float = 1e9) -> TrialRequest:
    cycle = trials.Cycle(max_lr, reads_test=isinstance(purpose, Confirm))
    return TrialRequest(
        f"{seed}",
        1,
        purpose,
        Ramps(1e-6, 10.0, steps=180) if isinstance(purpose, RangeTest) else cycle,
        params=Hyperparameters(cycle_epochs=3.0, batch_size=64),
        schedule=Schedule(),
        seed=seed,
        deadline=deadline,
    )


def test_speed_is_that_of_busy_workers_and_a_preflight_sees_an_idle_machine(photos: Task) -> None:
    assert photos.step_s[64] == pytest.approx(1.2 * PHOTOS.step_s)
    assert photos.alone_s[64] == pytest.approx(PHOTOS.step_s)


def test_a_world_is_as_slow_as_a_large_budget_requires(photos: Task) -> None:
    assert photos.slowed(120.0).slow == 1.0
    slow = photos.slowed(3600.0)
    assert slow.slow > 1.0
    assert LONGEST / 2 < max(slow.epochs_in((3600.0 - 18.0) / 2, size) for size in slow.step_s) <= LONGEST


def test_the_best_in_hindsight_grows_with_the_budget(photos: Task) -> None:
    assert photos.best(60.0) < photos.best(120.0) < photos.best(480.0) < 0.9


def test_validation_and_test_values_have_the_noise_of_seeds_and_items(photos: Task) -> None:
    world = TabledWorld(photos)
    outcomes = [world.run(request(Confirm(1), seed=seed), 0.0, 0)[0] for seed in range(300)]
    assert {outcome.status for outcome in outcomes} == {"finished"}
    values = np.array([(outcome.objective, outcome.test) for outcome in outcomes], dtype=float)
    truth = photos.accuracy(Setting(3.0, 64, 0.05, 5e-4))
    assert values.mean(axis=0) == pytest.approx([truth, truth], abs=0.005)
    for spread, items in zip(values.std(axis=0), (VALIDATION, TEST), strict=True):
        expected = math.hypot(photos.surface.noise.spread, math.sqrt(truth * (1 - truth) / items))
        assert spread == pytest.approx(expected, rel=0.15)
    assert outcomes[0].test_items == TEST


def test_a_cycle_that_the_deadline_cuts_is_shorter_and_worse(photos: Task) -> None:
    whole, took = TabledWorld(photos).run(request(Probe(0.05)), 0.0, 0)
    cut, less = TabledWorld(photos).run(request(Probe(0.05), deadline=took / 2), 0.0, 0)
    assert (whole.shortened, cut.shortened) == (False, True)
    assert less == pytest.approx(took / 2)
    assert cut.objective < whole.objective


def test_high_peaks_diverge_and_end_early(photos: Task) -> None:
    outcome, took = TabledWorld(photos).run(request(Probe(3.0), max_lr=3.0), 0.0, 0)
    assert outcome.status == "diverged"
    assert outcome.validation is None
    assert took < photos.trial_s(3.0, 64) / 2


def test_range_tests_err_by_an_octave_and_sometimes_refuse(photos: Task) -> None:
    world = TabledWorld(photos)
    outcomes = [world.run(request(RangeTest(), seed=seed), 0.0, 0)[0] for seed in range(400)]
    seen = [outcome.range_test for outcome in outcomes if outcome.range_test is not None]
    assert np.mean([outcome.status == "no_lr" for outcome in outcomes]) == pytest.approx(REFUSED, abs=0.05)
    picks = np.log2([result.max_lr for result in seen if result.refusal is None])
    assert picks.std() == pytest.approx(RAMP_ERROR, rel=0.15)
    assert picks.mean() == pytest.approx(math.log2(photos.surface.best_rate(1.0, 64)), abs=0.2)


def test_other_policies_are_worse(photos: Task) -> None:
    world = TabledWorld(photos)
    ours, theirs = (
        np.mean([world.run(request(of, seed=seed), 0.0, 0)[0].objective for seed in range(100)])
        for of in (Probe(0.05), Baseline(1))
    )
    assert theirs < ours


@pytest.mark.parametrize(("target", "baselines"), [(None, False), (-1.0, False), (10.0, True)])
def test_a_replay_is_the_same_again_and_loses_little(folder: Path, target: float | None, baselines: bool) -> None:
    question = Question(PHOTOS.name, 8.0, 2, target, baselines, folder)
    found = replay(question, seed=3)
    assert replay(question, seed=3).search.events == found.search.events
    assert found.recipe is not None
    assert found.longest > 9.0
    assert -5.0 < found.loss < 20.0
    assert sum(found.idle.values()) < 0.3


def test_a_replay_can_be_read_trial_by_trial(folder: Path) -> None:
    found = replay(Question(PHONEME.name, 2.0, 2, folder=folder))
    told = list(lines(found))
    study = found.search.study
    assert len(told) == 2 + len(study.requests) + len(study.recipes) + 1
    assert f"true loss {found.loss:.2f} points" in told[-1]


def asked(number: int, purpose: Purpose, rung: int, begin: float, end: float) -> list[Event]:
    made = replace(request(purpose, seed=number), rung=rung)
    return [Requested(begin, made), Observed(end, TrialOutcome(f"{number}", 1, "finished", 0.5))]


def test_idle_time_goes_to_the_phase_in_which_it_was() -> None:
    events = [
        *asked(0, RangeTest(), -1, 0.0, 10.0),  # one of two workers
        *asked(1, Probe(0.1), 0, 10.0, 20.0),
        *asked(2, Probe(0.1), 0, 10.0, 30.0),
        *asked(3, Probe(0.1), 1, 30.0, 50.0),
        *asked(4, Probe(0.1), 1, 30.0, 50.0),
        *asked(5, Confirm(1), 1, 50.0, 70.0),
    ]
    idle = idle_shares(events, workers=2, begin=0.0, end=100.0)
    assert [idle[phase] for phase in PHASES] == pytest.approx([10 / 200, 10 / 200, 0.0, 20 / 200, 60 / 200])


def test_rows_are_kept_read_back_and_forgotten(tmp_path: Path, folder: Path) -> None:
    replays = tmp_path / "replays.csv"
    jobs = [Job(name, PHONEME.name, 2.0, 2) for name in (OURS, "short_ladder")]
    report.measure(jobs, folder, replays, workers=1)
    first = replays.read_text()
    report.measure(jobs, folder, replays, workers=1)
    assert replays.read_text() == first
    assert list(report.read(replays)) == jobs
    report.forget(replays, [OURS])
    assert list(report.read(replays)) == jobs[1:]


def test_the_page_says_what_is_missing(folder: Path) -> None:
    jobs = [Job(name, task.name, 2.0, 2) for name in (OURS, *RIVALS) for task in PLANTED]
    found = Found(3, 1.5, 0.1, 27.0, 9.0, dict.fromkeys(PHASES, 0.01))
    results = dict.fromkeys(jobs, found)
    page = report.text(results, folder)
    total = len(report.full(folder)) + len(report.varied(folder))
    assert f"{total - len(jobs)} of {total} rows" in page
    assert "short_ladder" in report.compact(results, (2.0, 2))


def test_the_variant_is_chosen_on_the_other_tasks() -> None:
    losses = {OURS: {"a": 1.0, "b": 2.0, "c": 3.0}, "other": {"a": 9.0, "b": 1.0, "c": 1.0}}
    assert left_out(losses) == [("a", "other", 9.0, 1.0), ("b", OURS, 2.0, 2.0), ("c", OURS, 3.0, 3.0)]
