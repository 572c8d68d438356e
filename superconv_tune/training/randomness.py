"""Seed all random generators for one run, and restore them afterwards."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def seed_all(seed: int) -> None:
    """Seed every global generator that weights, dropout or a user's transforms may draw from."""
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002  (a user's transforms may draw from the legacy global state)


@contextmanager
def isolated(device: torch.device) -> Iterator[None]:
    """Leave the caller's global generators as they were, whatever happens inside."""
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002  (as above)
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002  (as above)
