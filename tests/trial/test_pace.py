from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from superconv_tune.trial.pace import WHOLE_SHARE, Pace, Pacer
from tests.fakes import FakeClock


def drive(pacer: Pacer, clock: FakeClock, speeds: list[float], block: int) -> list[float]:
    """The progress of every step of a cycle whose step k takes ``speeds[k]`` seconds, planned anew every block."""
    seen: list[float] = []
    while (progress := pacer.progress(len(seen))) is not None:
        clock.advance(speeds[len(seen)])
        seen.append(progress)
        if len(seen) % block == 0:
            pacer.taken(len(seen))
    return seen


@given(st.integers(2, 400))
def test_in_time_every_step_has_its_exact_progress(steps: int) -> None:
    clock = FakeClock()
    pacer = Pacer(steps, 5.0, clock.now + 1e6, clock)
    assert drive(pacer, clock, [0.01] * steps, block=7) == [step / (steps - 1) for step in range(steps)]
    assert pacer.pace.completes(steps)
    assert not pacer.pace.is_shortened


@given(
    steps=st.integers(50, 400),
    slowdown=st.floats(1.0, 6.0),
    onset=st.floats(0.0, 0.7),
    block=st.integers(1, 20),
)
def test_late_the_rest_of_the_schedule_fits_the_time_and_ends_at_its_floor(
    steps: int, slowdown: float, onset: float, block: int
) -> None:
    clock = FakeClock()
    deadline = clock.now + 0.1 * steps * 1.2 + 2.0
    speeds = [0.1 if step < onset * steps else 0.1 * slowdown for step in range(steps)]
    pacer = Pacer(steps, 4.0, deadline, clock)
    seen = drive(pacer, clock, speeds, block)
    assert seen[0] == 0.0
    assert all(earlier < later for earlier, later in itertools.pairwise(seen))
    if pacer.pace.completes(len(seen)):
        assert seen[-1] == pytest.approx(1.0, abs=1e-12)
        assert clock.now + 4.0 * 0.5 * speeds[len(seen) - 1] <= deadline + block * 0.1 * slowdown
        assert pacer.pace.is_shortened == (len(seen) < WHOLE_SHARE * steps)
    else:
        assert clock.now > deadline - 4.0 * 0.6 * slowdown - 1.0


def test_a_machine_twice_as_slow_gets_about_half_the_steps_and_a_whole_anneal() -> None:
    clock = FakeClock()
    pacer = Pacer(1000, 0.0, clock.now + 100.0, clock)  # planned at 0.1 s a step
    seen = drive(pacer, clock, [0.2] * 1000, block=20)
    assert 430 <= len(seen) <= 500
    assert seen[-1] == pytest.approx(1.0)
    assert pacer.pace.completes(len(seen))
    assert pacer.pace.is_shortened


def test_after_an_alarm_that_proved_false_the_pace_is_even_again() -> None:
    clock = FakeClock()
    speeds = [0.1] * 200 + [1.0] * 20 + [0.1] * 780  # a pause in the middle
    pacer = Pacer(1000, 0.0, clock.now + 150.0, clock)
    seen = drive(pacer, clock, speeds, block=20)
    assert len(seen) > 850
    assert pacer.pace.completes(len(seen))
    jumps = [later - earlier for earlier, later in itertools.pairwise(seen)]
    assert jumps[-1] == pytest.approx(1 / 999, rel=0.02)  # the even pace again


def test_progress_has_no_jump_where_the_plan_changes() -> None:
    pace = Pace.even(101).fit(step=40, room=20)
    assert pace.progress(40) == pytest.approx(0.4)
    assert pace.progress(41) == pytest.approx(0.43)
    assert pace.progress(60) == 1.0
    assert pace.is_shortened


def test_without_room_the_cycle_ends_where_it_is_and_is_not_complete() -> None:
    pace = Pace.even(101).fit(step=40, room=0)
    assert pace.last_step == 40
    assert not pace.completes(41)


def test_a_cycle_cut_to_less_than_a_tenth_is_too_short() -> None:
    assert Pace.even(1000).fit(step=9, room=50).is_too_short
    assert not Pace.even(1000).fit(step=9, room=100).is_too_short


def test_a_cycle_of_one_step_is_a_cycle() -> None:
    clock = FakeClock()
    pacer = Pacer(1, 1.0, clock.now + 10.0, clock)
    assert drive(pacer, clock, [0.1], block=1) == [0.0]
    assert pacer.pace.completes(1)


@pytest.mark.parametrize("deadline", [math.inf, 2_000_000.0])
def test_a_clock_that_stands_still_never_hurries(deadline: float) -> None:
    clock = FakeClock()
    pacer = Pacer(30, 1.0, deadline, clock)
    assert len(drive(pacer, clock, [0.0] * 30, block=3)) == 30


def test_past_the_deadline_no_step_is_taken() -> None:
    clock = FakeClock()
    assert Pacer(30, 1.0, clock.now, clock).progress(0) is None
