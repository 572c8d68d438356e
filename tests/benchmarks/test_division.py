"""The pure parts of the division benchmark: the surface over recorded cycles, idle time, what is compared with what."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.division.replay import PHASES, Question, idle_shares, replay
from benchmarks.division.surface import DEFAULT_DECAY, Cycle, Surface
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.schedule import Schedule
from superconv_tune.planner.brief import Division
from superconv_tune.record import trial as trials
from superconv_tune.record.events import Event, Observed, Requested
from superconv_tune.record.purpose import Confirm, Probe, Purpose, RangeTest
from superconv_tune.record.trial import Ramps, TrialOutcome, TrialRequest


def cycle(epochs: float, max_lr: float, accuracy: float, decay: float = DEFAULT_DECAY, finished: bool = True) -> Cycle:
    return Cycle(epochs, max_lr, decay, finished, accuracy, steps=round(40 * epochs))


SHORT = [cycle(10.0, lr, accuracy) for lr, accuracy in [(0.1, 0.5), (0.2, 0.6), (0.4, 0.6), (0.8, 0.4)]]
LONG = [cycle(40.0, lr, accuracy) for lr, accuracy in [(0.2, 0.7), (0.4, 0.8)]]
DECAYED = [cycle(40.0, lr, accuracy, decay=100 * DEFAULT_DECAY) for lr, accuracy in [(0.2, 0.74), (0.4, 0.82)]]


@pytest.fixture
def surface() -> Surface:
    return Surface.of([*SHORT, *LONG, *DECAYED])


def test_recorded_cycles_are_met_and_lines_are_straight_in_the_logarithm(surface: Surface) -> None:
    assert surface.accuracy(10.0, 0.2, DEFAULT_DECAY) == pytest.approx(0.6)
    assert surface.accuracy(40.0, 0.4, 100 * DEFAULT_DECAY) == pytest.approx(0.82)
    assert surface.accuracy(10.0, np.sqrt(0.1 * 0.2), DEFAULT_DECAY) == pytest.approx(0.55)
    assert surface.accuracy(20.0, 0.4, DEFAULT_DECAY) == pytest.approx(0.7)
    assert surface.accuracy(40.0, 0.2, 10 * DEFAULT_DECAY) == pytest.approx(0.72)


def test_a_curve_goes_on_beyond_its_peaks_as_the_shorter_length_does(surface: Surface) -> None:
    assert surface.accuracy(40.0, 0.8, DEFAULT_DECAY) == pytest.approx(0.8 - 0.2)
    assert surface.accuracy(40.0, 0.1, DEFAULT_DECAY) == pytest.approx(0.7 - 0.1)


def test_the_best_is_that_of_the_lengths_that_fit(surface: Surface) -> None:
    grid = 5e-3  # the best is looked for among 80 peaks
    assert surface.best(40.0) == pytest.approx(0.82, abs=grid)
    assert surface.best(10.0) == pytest.approx(0.64, abs=grid)  # the long cycles tell what the weight decay does


def test_diverged_seeds_count_as_a_constant_guess() -> None:
    cells = [cycle(10.0, 0.1, 0.5), cycle(10.0, 0.2, 0.6), cycle(10.0, 0.2, 0.1, finished=False)]
    surface = Surface.of(cells)
    assert surface.lost(10.0, 0.2) == 0.5
    assert surface.accuracy(10.0, 0.2, DEFAULT_DECAY) == 0.6
    assert surface.expected(10.0, 0.2, DEFAULT_DECAY) == pytest.approx(0.35)


def test_noise_is_that_of_repeated_cycles_and_of_the_shorter_length_where_nothing_was_repeated() -> None:
    repeated = [cycle(10.0, 0.2, accuracy) for accuracy in (0.60, 0.62, 0.64)]
    surface = Surface.of([*repeated, *LONG])
    assert surface.spread(10.0) == pytest.approx(0.02)
    assert surface.spread(40.0) == pytest.approx(0.02)


def asked(number: int, purpose: Purpose, rung: int, begin: float, end: float) -> list[Event]:
    work = Ramps(1e-5, 10.0) if isinstance(purpose, RangeTest) else trials.Cycle(0.1)
    request = TrialRequest(
        f"{number}",
        1,
        purpose,
        work,
        params=Hyperparameters(),
        schedule=Schedule(),
        seed=number,
        deadline=100.0,
        rung=rung,
    )
    return [Requested(begin, request), Observed(end, TrialOutcome(f"{number}", 1, "finished", 0.5))]


def test_idle_time_goes_to_the_phase_in_which_it_was() -> None:
    events = [
        *asked(0, RangeTest(), -1, 0.0, 10.0),  # one of two workers
        *asked(1, Probe(0.1), 0, 10.0, 20.0),
        *asked(2, Probe(0.1), 0, 10.0, 30.0),
        *asked(3, Probe(0.1), 1, 30.0, 50.0),
        *asked(4, Probe(0.1), 1, 30.0, 50.0),
        *asked(5, Confirm(1), 1, 50.0, 70.0),
    ]
    idle = idle_shares(events, workers=2, begin=0.0, deadline=100.0)
    assert [idle[phase] for phase in PHASES] == pytest.approx([10 / 200, 10 / 200, 0.0, 20 / 200, 60 / 200])


def test_a_replay_is_the_same_again_and_its_loss_is_at_least_that_of_its_length() -> None:
    question = Question(("digits-mlp", "sgd"), 100.0, 1)
    result = replay(question, Division(), seed=3)
    assert replay(question, Division(), seed=3) == result
    assert result.loss >= result.length_loss
    assert result.length > 0.0


def test_a_larger_top_share_makes_the_confirmed_cycle_longer() -> None:
    question = Question(("digits-mlp", "sgd"), 100.0, 1)
    small = replace(Division(), top_share=0.4, lower_share=0.54)
    assert replay(question, Division(), seed=0).length > replay(question, small, seed=0).length


def test_something_is_confirmed_where_the_dearer_batch_size_wins_at_last() -> None:
    """The longest cycles take 1.6 times as long with it as with the one that led before them."""
    assert replay(Question(("mnist1d-mlp", "sgd"), 10_000.0, 64), Division(), seed=3).length > 0.0
