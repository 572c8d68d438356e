"""How many trials share a GPU, and when one does not begin there."""

from __future__ import annotations

import pytest

from superconv_tune.training.gpu_share import AT_ONCE, HEADROOM, Load, Memory, chosen, most_that_fit, shortage

GIB = 2**30


@pytest.mark.parametrize(
    ("steps_per_s", "trials"),
    [
        ([100.0], 1),
        ([100.0, 190.0, 370.0], 4),  # a small model leaves the device idle between its kernels
        ([100.0, 190.0, 200.0], 2),
        ([100.0, 104.0], 1),  # a large one fills it: two only take turns
        ([100.0, 80.0, 400.0], 1),  # what is no better with two is not tried with four
    ],
)
def test_more_trials_at_once_only_while_each_step_up_pays(steps_per_s: list[float], trials: int) -> None:
    loads = [Load(count, rate) for count, rate in zip(AT_ONCE, steps_per_s, strict=False)]
    assert chosen(loads).trials == trials


def test_a_trial_sees_its_share_of_the_steps() -> None:
    assert Load(4, 200.0).step_s == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("free", "needed", "trials"),
    [(80, 70, 1), (80, 30, 2), (80, 2, 4), (80, 36, 2), (80, 36.1, 1), (10, 40, 1)],
)
def test_the_memory_bounds_them_with_room_to_spare(free: float, needed: float, trials: int) -> None:
    memory = Memory(int(free * GIB), int(needed * GIB))
    assert most_that_fit(memory) == trials
    assert trials == 1 or trials * memory.needed <= HEADROOM * memory.free


def test_memory_that_is_not_known_bounds_nothing() -> None:
    assert most_that_fit(None) == AT_ONCE[-1]


def test_a_trial_does_not_begin_where_others_took_its_memory() -> None:
    assert shortage(4 * GIB, 3 * GIB) == ""
    assert shortage(0, 0) == ""  # the first trial of a process has needed nothing yet
    reason = shortage(1 * GIB, 3 * GIB)
    assert "1,024 MiB free" in reason
    assert "3,072 MiB more" in reason
    assert "gpus_per_trial" in reason
