"""The surface over recorded cycles: what it meets, how it goes on where nothing was recorded, and its noise."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest

from benchmarks.division.surface import EFFECT, SEED_SPREAD, Cycle, Noise, Surface

MANY = 10**12  # items, so that only seeds are noisy
DECAY = 5e-4
TRIVIAL = 0.1


def cycle(
    epochs: float,
    max_lr: float,
    accuracy: float,
    size: int = 64,
    decay: float = DECAY,
    smoothing: float = 0.0,
    finished: bool = True,
) -> Cycle:
    return Cycle(epochs, size, max_lr, decay, smoothing, finished, accuracy)


def curve(epochs: float, values: dict[float, float], size: int = 64) -> list[Cycle]:
    return [cycle(epochs, max_lr, accuracy, size) for max_lr, accuracy in values.items()]


SHORT = curve(1.0, {0.1: 0.40, 0.2: 0.50, 0.4: 0.46, 0.8: 0.30})
LONGER = curve(3.0, {0.1: 0.50, 0.2: 0.60, 0.4: 0.62})
LONGEST = curve(9.0, {0.2: 0.66, 0.4: 0.70})


def surface(cycles: list[Cycle], sizes: tuple[int, ...] = ()) -> Surface:
    return Surface.of(cycles, TRIVIAL, MANY, sizes)


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells without noise, so that nothing is smoothed."""
    monkeypatch.setattr("benchmarks.division.surface.SEED_SPREAD", 1e-9)


@pytest.mark.usefixtures("quiet")
def test_recorded_cycles_are_met_and_lines_are_straight_in_logarithms() -> None:
    of = surface([*SHORT, *LONGER])
    assert of.accuracy(1.0, 64, 0.2) == pytest.approx(0.50)
    assert of.accuracy(1.0, 64, np.sqrt(0.1 * 0.2)) == pytest.approx(0.45)
    assert of.accuracy(np.sqrt(3.0), 64, 0.2) == pytest.approx(0.55)


@pytest.mark.usefixtures("quiet")
def test_a_curve_goes_on_beyond_its_peaks_as_the_shorter_length_does() -> None:
    of = surface([*SHORT, *LONGER, *LONGEST])
    assert of.accuracy(3.0, 64, 0.8) == pytest.approx(0.62 - 0.16)
    assert of.accuracy(9.0, 64, 0.8) == pytest.approx(0.70 - 0.16)
    assert of.accuracy(9.0, 64, 0.1) == pytest.approx(0.66 - 0.10)


@pytest.mark.usefixtures("quiet")
def test_beyond_the_longest_length_the_last_slope_fades() -> None:
    of = surface([*SHORT, *LONGER, *LONGEST])
    last = 0.70 - 0.62
    assert of.accuracy(27.0, 64, 0.4) == pytest.approx(0.70 + last / 2)
    assert of.accuracy(81.0, 64, 0.4) == pytest.approx(0.70 + last / 2 + last / 4)
    assert of.accuracy(1000.0, 64, 0.4) == pytest.approx(of.accuracy(81.0, 64, 0.4))
    assert of.accuracy(27.0, 64, 0.2) == pytest.approx(0.66 + last / 2)


@pytest.mark.usefixtures("quiet")
def test_below_the_shortest_length_the_way_to_a_guess_is_straight() -> None:
    of = surface([*SHORT, *LONGER])
    assert of.accuracy(0.5, 64, 0.2) == pytest.approx((0.50 + TRIVIAL) / 2)


@pytest.mark.usefixtures("quiet")
def test_a_size_that_was_not_recorded_is_half_an_octave_per_doubling_away() -> None:
    of = surface([*SHORT, *LONGER], sizes=(256,))
    assert of.accuracy(1.0, 256, 0.4) == pytest.approx(0.50)
    assert of.accuracy(3.0, 256, 0.8) == pytest.approx(0.62)


@pytest.mark.usefixtures("quiet")
def test_a_size_that_a_length_lacks_has_the_level_and_shift_of_another_length() -> None:
    """At one epoch the larger size has its best peak an octave higher, and it is two points worse."""
    larger = curve(1.0, {2 * c.max_lr: c.accuracy - 0.02 for c in SHORT}, size=128)
    of = surface([*SHORT, *larger, *LONGER])
    shift = (0.5 + 1.0) / 2  # the usual shift counts as much as one length
    assert of.accuracy(3.0, 128, 0.4 * 2**shift) == pytest.approx(0.62 - 0.02)
    assert of.accuracy(1.0, 128, 0.4) == pytest.approx(0.48)


def test_diverged_seeds_count_as_a_constant_guess() -> None:
    lost = cycle(1.0, 0.4, TRIVIAL, finished=False)
    of = surface([cycle(1.0, 0.1, 0.5), cycle(1.0, 0.2, 0.6), cycle(1.0, 0.2, TRIVIAL, finished=False), lost])
    assert of.lost(1.0, 64, 0.2) == 0.5
    assert of.expected(1.0, 64, 0.2) == pytest.approx((0.6 + TRIVIAL) / 2)
    assert of.lost(1.0, 64, 0.4) == 1.0
    assert of.expected(1.0, 64, 0.4) == pytest.approx(TRIVIAL)


def test_noise_is_what_repeated_cells_have_beyond_that_of_their_items() -> None:
    rng = np.random.default_rng(0)
    skills = 0.6 + 0.03 * rng.standard_normal(4000)
    drawn = [cycle(1.0, 0.1, rng.binomial(400, skill) / 400) for skill in skills]
    cells = [drawn[number : number + 2] for number in range(0, 4000, 2)]
    assert Noise.of(cells, 400).spread == pytest.approx(0.03, rel=0.1)
    assert Noise.of([drawn[:1]], 400).spread == SEED_SPREAD


def test_a_noisy_cell_is_smoothed_toward_its_neighbours() -> None:
    values = {0.1: 0.50, 0.2: 0.50, 0.4: 0.56, 0.8: 0.50, 1.6: 0.50}
    few, many = (Surface.of(curve(1.0, values), TRIVIAL, items, ()) for items in (200, MANY))
    assert 0.51 < few.accuracy(1.0, 64, 0.4) < many.accuracy(1.0, 64, 0.4) <= 0.56
    assert few.accuracy(1.0, 64, 0.2) > 0.50


@pytest.mark.usefixtures("quiet")
def test_weight_decay_and_smoothing_add_their_effect() -> None:
    more = [cycle(9.0, max_lr, 0.02 + value, decay=0.05) for max_lr, value in ((0.2, 0.66), (0.4, 0.70))]
    smooth = [cycle(9.0, 0.4, 0.69, smoothing=0.1)]
    of = surface([*SHORT, *LONGER, *LONGEST, *more, *smooth])
    assert of.accuracy(9.0, 64, 0.2, 0.05) == pytest.approx(0.68)
    between = 2.0 ** ((log2(0.05) + log2(DECAY)) / 2)
    assert of.accuracy(9.0, 64, 0.2, between) == pytest.approx(0.67)
    assert of.accuracy(9.0, 64, 0.4, DECAY, 0.1) == pytest.approx(0.69)
    assert of.accuracy(9.0, 64, 0.4, DECAY, 0.05) == pytest.approx(0.695)
    assert of.best(9.0, 64) == pytest.approx(0.72)


def test_an_effect_within_the_noise_is_shrunk() -> None:
    more = [cycle(9.0, 0.4, 0.70 + EFFECT, decay=0.05)]
    of = Surface.of([*SHORT, *LONGER, *LONGEST, *more], TRIVIAL, 400, ())
    assert 0.0 < of.accuracy(9.0, 64, 0.4, 0.05) - of.accuracy(9.0, 64, 0.4) < EFFECT / 2


@pytest.mark.usefixtures("quiet")
def test_the_best_rate_is_that_of_the_length_and_size() -> None:
    of = surface([*SHORT, *LONGER], sizes=(256,))
    assert of.best_rate(1.0, 64) == pytest.approx(0.2, rel=0.02)
    assert of.best_rate(3.0, 64) == pytest.approx(0.4, rel=0.02)
    assert of.best_rate(1.0, 256) == pytest.approx(0.4, rel=0.02)
