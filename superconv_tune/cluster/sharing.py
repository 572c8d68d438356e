"""How many trials should share a GPU, measured on the cluster."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from superconv_tune.cluster.worker import prepared
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.problems.payload import Payload
from superconv_tune.record.trial import Precision
from superconv_tune.training.gpu_share import AT_ONCE, Load, Memory, chosen, most_that_fit
from superconv_tune.training.memory import in_use
from superconv_tune.trial.smoke import smoke

logger = logging.getLogger(__name__)

WINDOW_S = 1.5  # seconds of training at every load
MOST_STEPS = 3000
START_S = 60.0  # longest wait for a process to start and to build the problem
MOST = AT_ONCE[-1]


@dataclass(frozen=True)
class TrialLoad:
    """The trial whose speed is measured.

    Attributes:
        payload: data and model.
        params: its hyperparameters.
        precision: number format of its forward pass.
        cpus: cores that it takes.
        threads: number of torch threads.
        folder: working folder of the search.
    """

    payload: Payload
    params: Hyperparameters
    precision: Precision
    cpus: float
    threads: int
    folder: str = field(default_factory=os.getcwd)


def has_gpus() -> bool:
    """Whether the connected cluster has a GPU that Ray may use; ``CUDA_VISIBLE_DEVICES`` hides some from it."""
    return bool(ray.cluster_resources().get("GPU", 0.0) > 0.0)


def fastest_load(tried: TrialLoad) -> Load | None:
    """The number of trials at once with the highest throughput on one GPU; None if not even one can run there now.

    One trial is measured first, which also shows how many fit into the memory; then two and four at once, each in its
    own process as in the search, as long as more trials get more done.
    """
    payload = ray.put(tried.payload)
    with _processes() as started:
        try:
            first = _start(started, payload, tried, node=None)
            if first is None:
                return None
            place, alone, memory = ray.get([first.place.remote(), first.step_s.remote(), first.memory.remote()])
            steps = max(1, min(MOST_STEPS, round(WINDOW_S / alone)))
            loads = [Load(1, _steps_per_s(started, steps))]
            for count in AT_ONCE[1:]:
                if count > most_that_fit(memory) or not _is_joined(started, count, payload, tried, place):
                    break
                loads.append(Load(count, _steps_per_s(started, steps)))
                if chosen(loads).trials < count:
                    break
        except RayError:  # such as a process that was killed because memory ran out
            logger.exception("Measuring how many trials share a GPU failed; every trial gets a whole GPU.")
            return None
    logger.info("On one GPU: %s; memory %s.", "; ".join(map(str, loads)), memory)
    return chosen(loads)


class _Trial:
    """One process with a share of a GPU."""

    def __init__(
        self, payload: Payload, threads: int, folder: str, params: Hyperparameters, precision: Precision
    ) -> None:
        self._problem = prepared(payload, threads, folder).of("")
        self._params, self._precision = params, precision
        self.step_s()  # includes one-time set-up, so its result is not used

    def place(self) -> tuple[str, list[str]]:
        """Its node, and its GPU on that node."""
        context = ray.get_runtime_context()
        return context.get_node_id(), context.get_accelerator_ids()["GPU"]

    def step_s(self, steps: int = 20) -> float:
        """Seconds of a training step, without evaluation."""
        outcome = smoke(self._problem, self._params, self._precision, steps)
        if outcome.status != "finished":
            raise RuntimeError(f"A smoke trial ended as {outcome.status}: {outcome.reason}")
        return outcome.train_s / outcome.steps

    def memory(self) -> Memory | None:
        """Memory in use on the device; None on a CPU."""
        return in_use(self._problem.device)


@contextmanager
def _processes() -> Iterator[list[Any]]:
    """An empty list; the actors that are added to it are ended with the block."""
    started: list[Any] = []
    try:
        yield started
    finally:
        for actor in started:
            ray.kill(actor)


def _start(started: list[Any], payload: Any, tried: TrialLoad, node: str | None) -> Any | None:
    """Start one more process, on this node if one is given; None if it is not ready in time."""
    where = NodeAffinitySchedulingStrategy(node, soft=False) if node else "DEFAULT"
    actor = ray.remote(_Trial).options(num_cpus=tried.cpus, num_gpus=1.0 / MOST, scheduling_strategy=where)
    started.append(actor.remote(payload, tried.threads, tried.folder, tried.params, tried.precision))
    ready, _ = ray.wait([started[-1].place.remote()], timeout=START_S)
    return started[-1] if ready else None


def _is_joined(started: list[Any], count: int, payload: Any, tried: TrialLoad, place: tuple[str, list[str]]) -> bool:
    """Start processes until there are ``count``; returns whether all of them are on that GPU."""
    while len(started) < count:
        actor = _start(started, payload, tried, place[0])
        if actor is None or ray.get(actor.place.remote()) != place:
            return False
    return True


def _steps_per_s(started: list[Any], steps: int) -> float:
    """Steps per second of all processes together, training at the same time."""
    return sum(1.0 / step_s for step_s in ray.get([actor.step_s.remote(steps) for actor in started]))
