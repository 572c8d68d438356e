"""Floors and ceilings of a search, computed beside its trials so that none of them waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import torch

from superconv_tune.problems.payload import Payload, realise
from superconv_tune.record.landmarks import Landmark
from superconv_tune.study.engine import Engine
from superconv_tune.study.question import threads
from superconv_tune.training.compiler import skip_compiler
from superconv_tune.training.memory import device_for

SHARE = 0.02  # of the budget
MOST_S = 20.0  # more time would not improve them
FAILED = (Landmark("floors and ceilings", "check", None, "floors and ceilings: their process ended without a result."),)

Landmarks = tuple[Landmark, ...]


class LandmarksBeside:
    """The floors and ceilings of a question; the first call begins to compute them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._look: Callable[[float], Landmarks | None] | None = None

    def __call__(self, wait_s: float) -> Landmarks | None:
        """What was found, if it is there within so many seconds; None before."""
        if self._look is None:
            question = self._engine.question
            seconds = min(MOST_S, SHARE * question.spec.budget_s)
            self._look = self._engine.beside(
                partial(_surveyed, question.payload, question.card.train_items, seconds), FAILED
            )
        return self._look(wait_s)


def _surveyed(payload: Payload, train_items: int, seconds: float) -> Landmarks:
    from superconv_tune.problems.survey import survey  # noqa: PLC0415 - scikit-learn, which the search need not wait for

    skip_compiler()
    torch.set_num_threads(threads(payload.spec))
    problem = realise(payload, device_for(with_gpu=payload.spec.resources.gpus_per_trial != 0))
    # Seconds of computing: those on the wall say little beside trials on all cores.
    return survey(payload.first, problem, train_items, seconds, clock=time.thread_time)
