"""A training step in processes like those that will run the trials: what works only in the driver is found before."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError

from superconv_tune.cluster.last_words import last_words
from superconv_tune.cluster.worker import prepared
from superconv_tune.core.errors import UserError, raise_any
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.problems.payload import Payload, outputs_per_item
from superconv_tune.problems.rehearse import rehearse

logger = logging.getLogger(__name__)

PATIENCE_S = 60.0  # longest wait for a process to start, to make the problem and to try the step


def begin_rehearsal(
    payload: Payload, params: Hyperparameters, threads: int, gpus_per_trial: float, workers: int
) -> Callable[[], None]:
    """Begin to make the problem and to try one training step in a worker process of every node.

    Cores are not asked for: a cluster that others fill would have none. The process stays, for what runs beside the
    trials; one with a GPU ends.

    Args:
        payload: data and model.
        params: hyperparameters of the step.
        threads: number of torch threads of a worker.
        gpus_per_trial: GPU share of a trial.
        workers: number of trials at once.

    Returns:
        A function that waits for the end, and raises UserError if it failed there or the process died. If it could not
        be tried in time, that is logged.
    """
    task = ray.remote(num_cpus=0, num_gpus=gpus_per_trial, max_retries=0, scheduling_strategy="SPREAD")(_faults)
    nodes = sum(node["Alive"] for node in ray.nodes())
    sent, folder = ray.put(payload), str(Path.cwd())
    running = [task.remote(sent, params, threads, folder) for _ in range(min(nodes, workers))]

    def wait() -> None:
        ready, waiting = ray.wait(running, num_returns=len(running), timeout=PATIENCE_S)
        for each in waiting:
            ray.cancel(each, force=True)
            logger.warning("A worker could not be tried within %.0f s.", PATIENCE_S)
        raise_any(list(dict.fromkeys(message for each in ready for message in _messages(each))))

    return wait


def _messages(done: Any) -> list[str]:
    try:
        faults = ray.get(done)
    except RayError as error:
        logger.exception("A worker failed in its rehearsal.")
        faults = [last_words(error, _faults.__name__)]
    return [f"What works in this process fails in that of a worker: {fault} Nothing was started." for fault in faults]


def _faults(payload: Payload, params: Hyperparameters, threads: int, folder: str) -> tuple[str, ...]:
    """What a worker finds wrong."""
    try:
        problems = prepared(payload, threads, folder)
        for family in payload.families or ("",):
            problem, of = problems.of(family), payload.of(family)
            if not of.is_fitted:
                rehearse(problem, params, outputs_per_item(of))
            next(iter(problem.test.batches()))  # the other parts were read already
    except UserError as error:
        return error.messages
    return ()
