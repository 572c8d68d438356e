"""Data sets that a package generates from a seed."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np

from superconv_tune.core.errors import UserError
from superconv_tune.data.options import Args, options
from superconv_tune.data.parts import MIN_EXAMPLES, RawData, classified, numeric

try:  # an extra: only this format needs it
    from mnist1d.data import get_dataset_args, make_dataset
except ImportError:
    make_dataset = None

MNIST1D_KNOBS = (
    "scale_coeff",
    "max_translation",
    "corr_noise_scale",
    "iid_noise_scale",
    "shear_scale",
    "shuffle_seq",
)


def mnist1d(_path: Path | None, args: Args) -> RawData:
    """Signals of one channel and 40 samples that stand for digits, generated from a seed; no test part.

    Greydanus and Kobak 2020, arXiv 2011.14439. ``samples`` and ``seed``, and what makes the task easier or harder under
    the names of the ``mnist1d`` package.
    """
    if make_dataset is None:
        raise UserError(
            "data.format: mnist1d needs the package mnist1d. Install it: pip install 'superconv-tune[mnist1d]'."
        )
    settings = get_dataset_args()
    known = {"samples": 5000, "seed": settings.seed} | {name: getattr(settings, name) for name in MNIST1D_KNOBS}
    chosen = options("mnist1d", args, known)
    settings.num_samples = chosen.pop("samples")
    settings.train_split = 1.0
    for name, value in chosen.items():
        setattr(settings, name, value)
    settings.seed %= 2**32  # as many bits as numpy's legacy generator takes
    if settings.num_samples < MIN_EXAMPLES:  # the generator itself cannot do with less than one of each class
        raise UserError(f"data.args: samples of mnist1d is {MIN_EXAMPLES} or more, but got {settings.num_samples}.")
    made = _generate(settings)
    return classified(numeric(made["x"][:, None], made["y"], "training", "classification"))


def _generate(settings: Any) -> dict[str, Any]:
    """The generator seeds Python's and numpy's global state; they are given back as they were."""
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002  (what the package draws from)
    try:
        return dict(make_dataset(settings))
    finally:
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002  (as above)
