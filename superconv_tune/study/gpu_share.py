"""``gpus_per_trial: auto`` settled: nothing without a GPU, and else the share at which most gets done."""

from __future__ import annotations

import logging
from dataclasses import replace

from superconv_tune.cluster.sharing import Tried, has_gpus, try_out
from superconv_tune.problems.payload import portable
from superconv_tune.spec.spec import defaults
from superconv_tune.study.question import Question, threads
from superconv_tune.training.gpu_share import Load

logger = logging.getLogger(__name__)

LEAST_BUDGET_S = 300.0  # the trial runs take some fifteen seconds, and less than a twentieth of the budget


def shared(question: Question, address: str | None) -> Question:
    """The question with a number for ``gpus_per_trial``, and with the speed of a step under that load.

    The cluster is connected. A budget too short for trying it out gives every trial a GPU of its own.
    """
    spec = question.spec
    if spec.resources.gpus_per_trial != "auto":
        return question
    if not has_gpus():
        return question.on_gpus(0.0)
    load = _tried(question, address) if spec.budget_s >= LEAST_BUDGET_S else None
    if load is None:
        return question.on_gpus(1.0)
    logger.info("%d trials share a GPU: %.3g ms a step.", load.trials, 1000 * load.step_s)
    measured = question.measured
    slower = load.step_s / measured.step_s[str(defaults(spec).batch_size)]
    steps = {size: seconds * slower for size, seconds in measured.step_s.items()}
    return replace(question, measured=replace(measured, step_s=steps)).on_gpus(1.0 / load.trials)


def _tried(question: Question, address: str | None) -> Load | None:
    spec = question.spec
    payload = question.payload if address is None else portable(question.payload)
    params, precision = defaults(spec), question.measured.precision
    return try_out(Tried(payload, params, precision, spec.resources.cpus_per_trial, threads(spec)))
