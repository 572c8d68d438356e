"""Rules of other programs on a known curve, each on its own sweep, compared with the results of the original formulas.

The curve, with x = log10(lr): ``2.3 - 1.6 / (1 + exp(-3 (x + 2.5))) + [x > -3] 0.15 exp(2.5 (x + 0.3))``. Its steepest
point per log(lr) is at 3.16e-3 and its minimum at 9.08e-2, without noise. The noise adds
``0.06 sin(12.9898 i) cos(4.1414 i^2)`` to step i, the spike 0.5 to steps 12 to 14.
"""

from __future__ import annotations

import numpy as np
import pytest

from superconv_tune.core.curve import Column, Curve
from superconv_tune.lr.pick_rules import PICK_RULES

STEPS = 100
I = np.arange(STEPS, dtype=np.float64)  # noqa: E741 - the formula's own letter


def fastai_sweep() -> Column:
    return 1e-7 * (10 / 1e-7) ** (I / STEPS)


def finder_sweep() -> Column:
    return np.geomspace(1e-7, 10.0, STEPS)


def lightning_sweep() -> Column:
    return 1e-8 * (1.0 / 1e-8) ** (np.where(I == 0, 0.0, I + 1) / STEPS)


def ignite_sweep() -> Column:
    return 1e-7 * (10 / 1e-7) ** ((I + 1) / STEPS)


SWEEPS = {
    "valley": fastai_sweep, "steep": fastai_sweep, "slide": fastai_sweep, "minimum": fastai_sweep,
    "torch_lr_finder": finder_sweep, "lightning": lightning_sweep, "lightning_before_2_5_3": lightning_sweep,
    "ignite": ignite_sweep,
}  # fmt: skip

EXPECTED = {
    "valley": (8.3e-4, 9.1e-3, 1.4e-3),
    "steep": (1.32e-2, 2.75e-2, 1.32e-2),
    "slide": (7.6e-3, 7.6e-3, 7.6e-3),
    "minimum": (0.19, 0.19, 0.19),
    "torch_lr_finder": (1.23e-2, 8.5e-3, 1.23e-2),
    "lightning": (1.1e-3, 8.3e-5, 9.1e-4),
    "lightning_before_2_5_3": (1.74e-2, 2.5e-2, 1.45e-2),
    "ignite": (1.10e-2, 9.1e-3, 1.10e-2),
}


def curve(lr: Column, variant: int) -> Curve:
    x = np.log10(lr)
    loss = 2.3 - 1.6 / (1 + np.exp(-3 * (x + 2.5))) + (x > -3) * 0.15 * np.exp(2.5 * (x + 0.3))
    if variant == 1:
        loss = loss + 0.06 * np.sin(12.9898 * I) * np.cos(4.1414 * I**2)
    if variant == 2:
        loss = loss + 0.5 * ((I >= 12) & (I <= 14))
    return Curve(I, lr, 0 * I, loss, I)


@pytest.mark.parametrize("variant", [0, 1, 2], ids=["clean", "noisy", "spike"])
@pytest.mark.parametrize("rule", sorted(EXPECTED))
def test_a_rule_gives_the_result_of_its_program(rule: str, variant: int) -> None:
    found = PICK_RULES[rule](curve(SWEEPS[rule](), variant))
    assert found == pytest.approx(EXPECTED[rule][variant], rel=0.05)


@pytest.mark.parametrize("variant", [0, 1, 2], ids=["clean", "noisy", "spike"])
def test_our_rule_is_near_half_the_true_minimum_on_every_curve(variant: int) -> None:
    """The other programs span three orders of magnitude there. 300 steps give the recommended 60 per decade."""
    found = PICK_RULES["robust"](curve(fastai_sweep(), variant))
    assert found is not None
    assert 0.0908 / 2 / 3 < found < 0.0908


@pytest.mark.parametrize("rule", sorted(PICK_RULES))
@pytest.mark.parametrize("losses", [[], [2.3], [2.3] * 8, [np.nan] * 30, [2.3, np.inf] + [2.0] * 40])
def test_no_curve_raises_an_exception(rule: str, losses: list[float]) -> None:
    steps = np.arange(len(losses), dtype=np.float64)
    lr = np.geomspace(1e-6, 1.0, len(losses)) if losses else steps
    found = PICK_RULES[rule](Curve(steps, lr, steps, np.array(losses, dtype=np.float64), steps))
    assert found is None or found > 0.0
