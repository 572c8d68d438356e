"""A study on a connected Ray: one ``Tuner.fit`` runs all of its trials."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.schedulers import FIFOScheduler

from superconv_tune.cluster.last_words import last_words
from superconv_tune.cluster.searcher import ConductedSearcher, EndNow
from superconv_tune.cluster.slots import Capacity, Nodes, Share, look
from superconv_tune.cluster.worker import Setting, TrialActor
from superconv_tune.core.errors import UserError
from superconv_tune.data.scratch import scratch
from superconv_tune.record.conductor import Conductor

ROUNDING = 1e-9  # shares such as a third of a GPU do not add up exactly


@dataclass(frozen=True)
class Resources:
    """What one trial needs, and how many run at once.

    Attributes:
        cpus_per_trial: cores of one trial.
        gpus_per_trial: GPU share of one trial.
        workers: trials at once; None for as many as fit.
    """

    cpus_per_trial: float = 1.0
    gpus_per_trial: float = 0.0
    workers: int | None = None


def slots(resources: Resources) -> Share:
    """The search's share of the connected cluster: an equal part for every search on it.

    Raises:
        UserError: if not even one trial fits, or others hold the whole cluster and will not make room.
    """
    now = look()
    refuse_small_nodes(now.nodes, resources)
    refuse_full_cluster(now, resources)
    return Share(lambda nodes: _fitting(nodes, resources), look, resources.workers or sys.maxsize)


def run(conductor: Conductor, setting: Setting, resources: Resources, share: Share) -> None:
    """Run trials, as many at once as the share allows, until the conductor is done or says stop; then none is running.

    Raises:
        UserError: if the conductor raised it, because it could not store an event or ask for a trial.
    """
    trainable = tune.with_resources(
        tune.with_parameters(TrialActor, setting=setting),
        {"cpu": resources.cpus_per_trial, "gpu": resources.gpus_per_trial},
    )
    searcher = ConductedSearcher(conductor, share)
    with scratch() as folder:
        tuner = tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                scheduler=_Messenger(searcher),
                num_samples=-1,
                max_concurrent_trials=max(1, concurrency(look().nodes, resources)),
                reuse_actors=True,
                trial_dirname_creator=lambda trial: str(trial.trial_id),
            ),
            run_config=tune.RunConfig(
                storage_path=str(folder),
                verbose=0,
                progress_reporter=tune.CLIReporter(),  # silent; the one for notebooks clears the cell when it is made
                failure_config=tune.FailureConfig(max_failures=0),  # the planner re-issues; Tune's retries skip it
                checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
                stop=_Stopper(conductor),
            ),
        )
        try:
            tuner.fit()
        except EndNow as end:
            if end.__cause__ is not None:
                raise end.__cause__ from None


class _Messenger(FIFOScheduler):
    """Tells the searcher why a worker ended, which Tune tells schedulers only."""

    def __init__(self, searcher: ConductedSearcher) -> None:
        super().__init__()
        self._searcher = searcher

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:  # noqa: ARG002 - Ray's signature
        """Pass on the error that Tune has just written to a file; the searcher learns of the end of the trial next."""
        text = ""
        with suppress(OSError, TypeError):  # the latter if there is no file
            text = Path(trial.error_file).read_text(encoding="utf-8", errors="replace")
        self._searcher.explain(trial.trial_id, last_words(text))

    def __getstate__(self) -> dict[str, Any]:
        """An empty state: Tune pickles its settings to a file that nobody reads."""
        return {}


class _Stopper(tune.Stopper):
    """Ends all running trials when the conductor says so: after Ctrl-C, or when a trial ignores its deadline."""

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:  # noqa: ARG002 - Ray's signature
        return False

    def stop_all(self) -> bool:
        if self._conductor.should_stop():
            raise EndNow
        return False

    def __getstate__(self) -> dict[str, Any]:
        """An empty state: Tune pickles its settings to a file that nobody reads."""
        return {}


def fitting(node: Mapping[str, float], resources: Resources) -> int:
    """Number of trials that fit on one node at once, or into what is free of it: several share a GPU, none uses two."""
    by_cpu = int(node.get("CPU", 0.0) / max(resources.cpus_per_trial, 1e-9) + ROUNDING)
    if not resources.gpus_per_trial:
        return by_cpu
    gpus, of_each = node.get("GPU", 0.0), int(1.0 / resources.gpus_per_trial + ROUNDING)
    whole = int(gpus + ROUNDING)
    return min(by_cpu, whole * of_each + int((gpus - whole) / resources.gpus_per_trial + ROUNDING))


def concurrency(nodes: Nodes, resources: Resources) -> int:
    """Number of trials that fit on these nodes at once, at most ``resources.workers``."""
    return min(_fitting(nodes, resources), resources.workers or sys.maxsize)


def refuse_small_nodes(nodes: Nodes, resources: Resources) -> None:
    """Refuse a cluster without a node that is large enough for a trial.

    Raises:
        UserError: with what the nodes have.
    """
    if _fitting(nodes, resources) < 1:
        kinds = dict.fromkeys(f"{node.get('CPU', 0):g} CPU and {node.get('GPU', 0):g} GPU" for node in nodes)
        raise UserError(
            f"resources: one trial needs {resources.cpus_per_trial:g} CPU and {resources.gpus_per_trial:g} GPU, and no "
            f"node of the cluster has as much: they have {'; '.join(kinds)}. Ask for less per trial."
        )


def refuse_full_cluster(now: Capacity, resources: Resources) -> None:
    """Refuse a cluster without room: other searches make room while each keeps one place, other jobs do not.

    Raises:
        UserError: with what is free.
    """
    # A place for each, however few of them this search wants.
    places = _fitting(now.nodes, resources)
    if now.searches > places or (now.searches == 1 and _fitting(now.free, resources) < 1):
        free = {name: sum(node.get(name, 0.0) for node in now.free) for name in ("CPU", "GPU")}
        raise UserError(
            f"resources: others hold the cluster ({now.searches - 1} searches, and perhaps other jobs): "
            f"{free['CPU']:g} CPU and {free['GPU']:g} GPU are free, and one trial needs "
            f"{resources.cpus_per_trial:g} and {resources.gpus_per_trial:g}. Wait for one of them to end."
        )


def _fitting(nodes: Nodes, resources: Resources) -> int:
    return sum(fitting(node, resources) for node in nodes)
