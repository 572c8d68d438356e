"""A cycle that is interrupted and continued is the cycle that was not interrupted, bit for bit."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from superconv_tune.core.curve import Curve
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.schedule import Schedule
from superconv_tune.problems.problem import Problem
from superconv_tune.record.purpose import LongRun
from superconv_tune.record.trial import Cycle, TrialOutcome, TrialRequest
from superconv_tune.trial.checkpointing import Checkpoint
from superconv_tune.trial.run import run
from tests.fakes import FakeClock, MemoryTracker, toy_problem

EPOCH = 15  # steps: 480 items in batches of 32
REQUEST = TrialRequest(
    trial_id="long_run",
    attempt=1,
    purpose=LongRun(),
    work=Cycle(0.1, reads_test=True),
    params=Hyperparameters(cycle_epochs=6.0, batch_size=32),
    schedule=Schedule(),
    seed=7,
    deadline=math.inf,
)


class Power(MemoryTracker):
    """Records until it has seen so many steps, and then the power fails."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self._steps = steps

    def record(self, phase: str, block: Curve) -> None:
        super().record("cycle", block)
        if len(self.curve("cycle")) >= self._steps:
            raise KeyboardInterrupt


def go(request: TrialRequest, problem: Problem, path: Path | None, tracker: MemoryTracker) -> TrialOutcome:
    return run(request, problem, tracker, FakeClock(), checkpoint=Checkpoint(path) if path else None)


def same(one: Curve, other: Curve) -> bool:
    """Whether two curves have the same steps; the clock may have run differently."""
    return all(np.array_equal(getattr(one, c), getattr(other, c)) for c in ("step", "lr", "momentum", "loss"))


def taught(outcome: TrialOutcome) -> tuple[object, ...]:
    return (
        outcome.status, outcome.reason, outcome.max_lr, outcome.validation, outcome.validation_loss, outcome.test,
        outcome.test_correct, outcome.steps, outcome.epochs, outcome.shortened,
    )  # fmt: skip


@pytest.mark.parametrize("cut_at", [1, EPOCH, 2 * EPOCH, 2 * EPOCH + 1, 6 * EPOCH])
@pytest.mark.parametrize("changes", [{}, {"precision": "bf16"}, {"precision": "fp16"}], ids=str)
def test_an_interrupted_cycle_goes_on_bit_for_bit(tmp_path: Path, cut_at: int, changes: dict[str, str]) -> None:
    request = replace(REQUEST, **changes)  # type: ignore[arg-type]
    whole_tracker = MemoryTracker()
    whole = go(request, toy_problem(), None, whole_tracker)
    assert whole.status == "finished"

    with pytest.raises(KeyboardInterrupt):
        go(request, toy_problem(), tmp_path / "c.pt", Power(cut_at))
    tracker = MemoryTracker()
    continued = go(replace(request, attempt=2), toy_problem(), tmp_path / "c.pt", tracker)

    assert taught(continued) == taught(whole)
    assert same(tracker.curve("cycle"), whole_tracker.curve("cycle"))
    assert continued.cycle_curve is not None
    assert whole.cycle_curve is not None
    assert same(continued.cycle_curve, whole.cycle_curve)


@pytest.mark.parametrize(
    "change",
    [
        lambda problem: replace(problem, micro_batches=2),
        lambda problem: replace(problem, micro_batches=4),  # no whole number of steps in an epoch
    ],
)
def test_the_place_in_the_batches_is_kept(tmp_path: Path, change: Callable[[Problem], Problem]) -> None:
    whole_tracker, tracker = MemoryTracker(), MemoryTracker()
    whole = go(REQUEST, change(toy_problem()), None, whole_tracker)
    with pytest.raises(KeyboardInterrupt):
        go(REQUEST, change(toy_problem()), tmp_path / "c.pt", Power(10))
    assert taught(go(REQUEST, change(toy_problem()), tmp_path / "c.pt", tracker)) == taught(whole)
    assert same(tracker.curve("cycle"), whole_tracker.curve("cycle"))


def test_a_continued_cycle_diverges_at_the_same_step(tmp_path: Path) -> None:
    """The watch for divergence goes on too: it counts all steps, and knows the losses before the interruption."""
    params = Hyperparameters(cycle_epochs=20.0, batch_size=32, pct_start=0.5, div_factor=1e6)
    request = replace(REQUEST, work=Cycle(3e3), params=params)
    whole_tracker, tracker = MemoryTracker(), MemoryTracker()
    whole = go(request, toy_problem(), tmp_path / "whole.pt", whole_tracker)
    assert whole.status == "diverged"
    assert whole.steps > 10 * EPOCH
    with pytest.raises(KeyboardInterrupt):
        go(request, toy_problem(), tmp_path / "cut.pt", Power(whole.steps - 2 * EPOCH))
    assert Checkpoint(tmp_path / "cut.pt").steps() > 5 * EPOCH
    assert taught(go(request, toy_problem(), tmp_path / "cut.pt", tracker)) == taught(whole)
    assert same(tracker.curve("cycle").take(slice(0, -EPOCH)), whole_tracker.curve("cycle").take(slice(0, -EPOCH)))


def test_a_cycle_that_has_ended_is_judged_again_as_it_was(tmp_path: Path) -> None:
    whole = go(REQUEST, toy_problem(), None, MemoryTracker())
    assert taught(go(REQUEST, toy_problem(), tmp_path / "c.pt", MemoryTracker())) == taught(whole)
    tracker = MemoryTracker()
    assert taught(go(REQUEST, toy_problem(), tmp_path / "c.pt", tracker)) == taught(whole)
    np.testing.assert_array_equal(tracker.curve("cycle").step, np.arange(6 * EPOCH))


def test_it_is_saved_after_every_epoch_and_at_the_end(tmp_path: Path) -> None:
    told: list[int] = []
    request = replace(REQUEST, params=replace(REQUEST.params, cycle_epochs=2.4))
    checkpoint = Checkpoint(tmp_path / "c.pt", told.append)
    assert checkpoint.steps() == 0
    run(request, toy_problem(), MemoryTracker(), FakeClock(), checkpoint=checkpoint)
    assert told == [15, 30, 36]
    assert checkpoint.steps() == 36


def test_the_seconds_of_a_curve_go_on(tmp_path: Path) -> None:
    clock = FakeClock(tick_s=0.1)
    with pytest.raises(KeyboardInterrupt):
        run(REQUEST, toy_problem(), Power(2 * EPOCH), clock, checkpoint=Checkpoint(tmp_path / "c.pt"))
    clock.advance(1000.0)
    tracker = MemoryTracker()
    run(REQUEST, toy_problem(), tracker, clock, checkpoint=Checkpoint(tmp_path / "c.pt"))
    seconds = tracker.curve("cycle").elapsed_s
    assert np.all(np.diff(seconds) > 0.0)
    assert np.diff(seconds).max() < 10.0  # the pause is no part of the training


def test_a_checkpoint_of_another_trial_is_not_taken(tmp_path: Path) -> None:
    go(REQUEST, toy_problem(), tmp_path / "c.pt", MemoryTracker())
    before = (tmp_path / "c.pt").read_bytes()
    outcome = go(replace(REQUEST, seed=8), toy_problem(), tmp_path / "c.pt", MemoryTracker())
    assert outcome.status == "code_error"
    assert "another trial" in outcome.reason
    assert (tmp_path / "c.pt").read_bytes() == before


def test_a_cycle_with_a_deadline_is_not_checkpointed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no deadline"):
        go(replace(REQUEST, deadline=2e9), toy_problem(), tmp_path / "c.pt", MemoryTracker())
