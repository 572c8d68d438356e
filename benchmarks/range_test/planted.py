"""Curves with a planted minimum: the one on which other programs' rules were compared, with random noise."""

from __future__ import annotations

import numpy as np

from superconv_tune.core.curve import Curve
from superconv_tune.lr.lr_range import RAMPS

STEPS = 300
NOISES = (0.0, 0.03, 0.06, 0.12)
INTERVAL = (1e-6, 10.0)


def planted(noise: float, seed: int) -> Curve:
    """A ramp whose loss falls from 2.3 to 0.7 around 3e-3 and is lowest at 0.09; ``noise`` is a standard deviation."""
    lr = RAMPS["exponential"](*INTERVAL, STEPS)
    x = np.log10(lr)
    rise = np.where(x > -3.0, 0.15 * np.exp(2.5 * (x + 0.3)), 0.0)
    clean = 2.3 - 1.6 / (1.0 + np.exp(-3.0 * (x + 2.5))) + rise
    steps = np.arange(STEPS, dtype=np.float64)
    loss = clean + noise * np.random.default_rng(seed).standard_normal(STEPS)
    return Curve(steps, lr, np.zeros(STEPS), loss, steps)
