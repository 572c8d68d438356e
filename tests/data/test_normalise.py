from __future__ import annotations

import numpy as np
import pytest
import torch

from superconv_tune.data import normalise
from superconv_tune.data.normalise import Normaliser, normalised

CPU = torch.device("cpu")


@pytest.mark.parametrize("shape", [(50, 3), (50, 3, 7), (50, 3, 5, 4)])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_training_rows_get_mean_0_and_std_1(
    shape: tuple[int, ...], kind: type[np.generic], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(normalise, "CHUNK", 8)  # so that the sums go over several chunks, the last one short
    inputs = (np.random.default_rng(0).gamma(2.0, 30.0, size=shape) % 256).astype(kind)
    rows = np.arange(0, 50, 2)
    found = normalised(torch.from_numpy(inputs), *Normaliser.of(inputs, rows).on(CPU))
    assert found.dtype == torch.float32
    axes = (0, *range(2, len(shape)))
    training = found[rows].double()
    torch.testing.assert_close(training.mean(axes), torch.zeros(3, dtype=torch.float64), atol=1e-6, rtol=0)
    torch.testing.assert_close(training.std(axes, correction=0), torch.ones(3, dtype=torch.float64), atol=1e-6, rtol=0)


def test_held_out_rows_change_nothing() -> None:
    inputs = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    rows = np.arange(10)
    before = Normaliser.of(inputs, rows)
    inputs[10:] = 1e9
    assert Normaliser.of(inputs, rows) == before


@pytest.mark.parametrize("value", [0.0, 0.1, -1234567.9])
def test_a_constant_channel_becomes_0(value: float) -> None:
    inputs = np.full((40, 2), value, dtype=np.float32)
    inputs[:, 1] = np.arange(40)
    found = normalised(torch.from_numpy(inputs), *Normaliser.of(inputs, np.arange(40)).on(CPU))
    assert found[:, 0].abs().max() < 1e-6 * max(1.0, abs(value))
    assert found[:, 1].std() > 0.5


def test_a_small_spread_far_from_0_is_kept() -> None:
    """Time stamps: with sums of plain squares the spread would drown in rounding."""
    inputs = 1e9 + 1e6 * np.random.default_rng(0).normal(size=(1000, 1))
    assert Normaliser.of(inputs, np.arange(1000)).std == pytest.approx(inputs.std(axis=0), rel=1e-9)
