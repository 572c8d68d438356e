"""What ``gpus_per_trial: auto`` means on a cluster: 0 without a GPU, else the share with the highest throughput."""

from __future__ import annotations

import logging
from dataclasses import replace

from superconv_tune.cluster.sharing import TrialLoad, fastest_load, has_gpus
from superconv_tune.problems.payload import portable
from superconv_tune.spec.spec import defaults
from superconv_tune.study.question import Question, threads
from superconv_tune.training.gpu_share import Load

logger = logging.getLogger(__name__)

LEAST_BUDGET_S = 300.0  # the measurement takes about fifteen seconds, a twentieth of this


def shared(question: Question, address: str | None) -> Question:
    """The question, with ``gpus_per_trial`` as a number and with the time of a step at that GPU share.

    The cluster must be connected. With a budget too short for the measurement every trial gets a whole GPU, and without
    a network, which alone would use it, none.
    """
    spec = question.spec
    if spec.resources.gpus_per_trial != "auto":
        return question
    if not question.has_networks or not has_gpus():
        return question.on_gpus(0.0)
    load = _measured(question, address) if spec.budget_s >= LEAST_BUDGET_S else None
    if load is None:
        return question.on_gpus(1.0)
    logger.info("%d trials share a GPU: %.3g ms a step.", load.trials, 1000 * load.step_s)
    measured = question.measured
    slower = load.step_s / measured.step_s[str(defaults(spec).batch_size)]
    steps = {size: seconds * slower for size, seconds in measured.step_s.items()}
    return replace(question, measured=replace(measured, step_s=steps)).on_gpus(1.0 / load.trials)


def _measured(question: Question, address: str | None) -> Load | None:
    spec = question.spec
    payload = question.payload if address is None else portable(question.payload)
    params, precision = defaults(spec), question.measured.precision
    return fastest_load(TrialLoad(payload, params, precision, spec.resources.cpus_per_trial, threads(spec)))
