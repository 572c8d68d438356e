"""The driver's time on a machine whose clock is wrong."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from superconv_tune.cluster.clock import DriverClock

BEGIN = 1.7e9  # of the driver's Unix time
DELAYS = st.floats(0.0, 5.0)


class Ticking:
    """A monotonic clock that began at some time."""

    def __init__(self, at: float) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


@given(boot=st.floats(0.0, 1e7), delays=st.lists(DELAYS, min_size=1, max_size=8))
def test_it_lags_by_no_more_than_the_quickest_message(boot: float, delays: list[float]) -> None:
    here = Ticking(boot)
    clock = DriverClock(None, here)
    for number, delay in enumerate(delays):
        here.at = boot + 10.0 * number + delay
        clock.hear(BEGIN + 10.0 * number)
    lag = BEGIN + (here.at - boot) - clock()
    assert abs(lag - min(delays)) < 1e-5


@given(boot=st.floats(0.0, 1e7), delay=DELAYS)
def test_what_was_measured_is_not_spoiled_by_a_slow_message(boot: float, delay: float) -> None:
    here = Ticking(boot + delay)
    clock = DriverClock(BEGIN - boot, here)
    clock.hear(BEGIN)
    assert abs(clock() - (BEGIN + delay)) < 1e-5
