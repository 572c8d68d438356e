"""Ray from its start to its end: one ``Tuner.fit`` runs every trial of a study."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import ray
from ray import tune
from ray._private import ray_constants

from superconv_tune.cluster.access import refuse_open
from superconv_tune.cluster.conductor import Conductor
from superconv_tune.cluster.searcher import ConductedSearcher
from superconv_tune.cluster.worker import Setting, TrialActor
from superconv_tune.core.errors import UserError

# Ray reads these once, when it is imported or started.
SETTINGS = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # no CSV, JSON and TensorBoard files beside ours
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C is ours: the conductor ends the search and the report is written
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",  # the journal is the one truth; Tune's own snapshots are not read
    "RAY_AIR_NEW_OUTPUT": "0",  # the live view is ours
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


@dataclass(frozen=True)
class Resources:
    """What one trial takes, and how many run at once (None: as many as fit)."""

    cpus_per_trial: float = 1.0
    gpus_per_trial: float = 0.0
    workers: int | None = None


@contextmanager
def cluster(address: str | None) -> Iterator[None]:
    """A connection to the cluster at ``address``, or a local one that ends with the block.

    Raises:
        UserError: if the address does not answer, or is open to other machines without a token.
    """
    refuse_open(address)
    # Ray binds the services of a node to all interfaces, unless this constant (meant for the firewalls of desktops)
    # says that there are no other nodes: then all of them listen on the loopback alone.
    ray_constants.ENABLE_RAY_CLUSTER = address is not None
    os.environ.update({name: os.environ.get(name, value) for name, value in SETTINGS.items()})
    try:
        ray.init(
            address=address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            include_dashboard=False if address is None else None,
            configure_logging=False,
        )
    except ConnectionError as error:
        raise UserError(
            f"--address: no Ray cluster answers at {address!r} ({error}). Start one, or leave it out."
        ) from error
    try:
        if address is not None:
            refuse_open(ray.get_runtime_context().gcs_address)  # where "auto" led
        yield
    finally:
        ray.shutdown()


def slots(address: str | None, resources: Resources) -> int:
    """Trials at once on the connected cluster.

    On a cluster a search takes what is free when it begins, and keeps it: searches side by side do not wait for each
    other's workers while their hours run out.

    Raises:
        UserError: if not even one trial fits.
    """
    everything = concurrency(ray.cluster_resources(), resources)
    return everything if address is None else concurrency(ray.available_resources(), resources, busy=True)


def run(conductor: Conductor, setting: Setting, resources: Resources, workers: int) -> None:
    """Run trials, ``workers`` at once, until the conductor is done or says stop; then nothing of them runs any more."""
    trainable = tune.with_resources(
        tune.with_parameters(TrialActor, setting=setting),
        {"cpu": resources.cpus_per_trial, "gpu": resources.gpus_per_trial},
    )
    with tempfile.TemporaryDirectory(prefix="superconv_tune_") as scratch, suppress(_EndNow):
        tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=ConductedSearcher(conductor),
                num_samples=-1,
                max_concurrent_trials=workers,
                reuse_actors=True,
                trial_dirname_creator=lambda trial: str(trial.trial_id),
            ),
            run_config=tune.RunConfig(
                storage_path=scratch,
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=0),  # the planner re-issues; Tune's retries skip it
                checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
                stop=_Stopper(conductor),
            ),
        ).fit()


class _EndNow(BaseException):
    """Leaves ``Tuner.fit`` at once.

    Not an Exception: Tune answers one with a clean-up that waits ten seconds for every actor (fixed in its code), where
    the end of the connection ends them in one.
    """


class _Stopper(tune.Stopper):
    """Ends what still runs when the conductor says so: Ctrl-C, or a trial that ignores its deadline."""

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:  # noqa: ARG002 - Ray's signature
        return False

    def stop_all(self) -> bool:
        if self._conductor.should_stop():
            raise _EndNow
        return False

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune writes its settings to disk as a pickle that nobody reads."""
        return {}


def concurrency(available: dict[str, float], resources: Resources, *, busy: bool = False) -> int:
    """Trials that fit on the cluster at once; ``busy`` if others use it too, and these resources are what they left.

    Raises:
        UserError: if not even one does.
    """
    by_cpu = available.get("CPU", 0.0) / max(resources.cpus_per_trial, 1e-9)
    by_gpu = available.get("GPU", 0.0) / resources.gpus_per_trial if resources.gpus_per_trial else by_cpu
    fitting = int(min(by_cpu, by_gpu) + 1e-9)
    if fitting < 1 and busy:
        raise UserError(
            f"resources: other jobs hold the cluster: {available.get('CPU', 0):g} CPU and {available.get('GPU', 0):g} "
            f"GPU are free, and one trial needs {resources.cpus_per_trial:g} and {resources.gpus_per_trial:g}. Wait "
            f"for one of them to end; searches that are to run side by side need `workers` below what the cluster has."
        )
    if fitting < 1:
        raise UserError(
            f"resources: one trial needs {resources.cpus_per_trial:g} CPU and {resources.gpus_per_trial:g} GPU, but "
            f"the cluster has {available.get('CPU', 0):g} and {available.get('GPU', 0):g}. Ask for less per trial."
        )
    return min(fitting, resources.workers) if resources.workers else fitting
