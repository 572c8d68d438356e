from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from superconv_tune.training.randomness import isolated, seed_all


def draw() -> tuple[float, float, float]:
    return torch.rand(()).item(), random.random(), float(np.random.rand())  # noqa: NPY002  (what is isolated)


def test_one_seed_gives_one_sequence_in_all_generators() -> None:
    with isolated(torch.device("cpu")):
        seed_all(2**40 + 1)  # wider than numpy's 32 bits
        first = draw()
        seed_all(2**40 + 1)
        assert draw() == first
        seed_all(2)
        assert all(a != b for a, b in zip(draw(), first, strict=True))


def test_the_caller_s_generators_go_on_as_if_nothing_happened() -> None:
    with isolated(torch.device("cpu")):
        seed_all(0)
        expected = [draw(), draw()]
        seed_all(0)
        seen = [draw()]
        with pytest.raises(RuntimeError, match="inside"), isolated(torch.device("cpu")):  # noqa: PT012
            seed_all(5)
            raise RuntimeError("inside")
        seen.append(draw())
    assert seen == expected
