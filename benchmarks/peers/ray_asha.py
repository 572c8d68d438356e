"""Ray Tune as a careful user writes it: OptunaSearch, ASHA, one-cycles of the length told, two trials at once."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray
import torch
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch

from benchmarks.peers.tasks import BATCH_SIZES
from benchmarks.peers.training import WORKERS, Diary, Job, Recipe, Training, on_cpu
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.problems.payload import Payload

REDUCTION = 3
METRIC = "validation"
CLOSING_S = 4.0  # from the last step to the end of the process: Tune's last results and Ray's shutdown
RATES, DECAYS = (1e-3, 1.0), (1e-5, 1e-2)  # log-uniform
MOMENTA = (0.85, 0.98)  # the highest of the cycle
MOMENTUM_WIDTH = 0.1


class Trial(tune.Trainable):  # type: ignore[misc]  # mypy does not follow Ray
    """One report per iteration; a class, because only that keeps its actor, and with it torch and the data."""

    def setup(self, config: dict[str, Any], job: Job, payload: Payload, epochs: int) -> None:
        """Once per actor."""
        self._problem = on_cpu(payload)
        self._job, self._epochs, self._diary = job, epochs, Diary(job.folder)
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """A new trial on the same actor."""
        params = replace(
            Hyperparameters(),
            cycle_epochs=float(self._epochs),
            batch_size=new_config["batch_size"],
            weight_decay=new_config["weight_decay"],
            base_momentum=new_config["momentum"] - MOMENTUM_WIDTH,
            momentum_width=MOMENTUM_WIDTH,
        )
        recipe = Recipe(params, new_config["lr"], new_config["seed"])
        self._training = Training(self._problem, self._job.precision, recipe)
        self._reports = self._training.reports(self._job.unit_epochs, self._job.deadline - CLOSING_S)
        return True

    def step(self) -> dict[str, Any]:
        """Train up to the next report. The best weights are kept by the diary, which costs less than a checkpoint."""
        report = next(self._reports, None)
        if report is None:
            return {METRIC: 0.0, "done": True}
        self._diary.note(self._training, report)
        return {METRIC: report.validation}


def run(job: Job, told: int) -> None:
    """Search until the deadline with one-cycles of ``told`` reports; another guess searches with other draws."""
    os.environ.setdefault("RAY_TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")  # TensorBoard, CSV and JSON of every trial
    ray.init(address="local", num_cpus=WORKERS, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    torch.set_num_threads(1)
    space = {
        "lr": tune.loguniform(*RATES),
        "weight_decay": tune.loguniform(*DECAYS),
        "momentum": tune.uniform(*MOMENTA),
        "batch_size": tune.choice(BATCH_SIZES),
        "seed": tune.randint(0, 2**31 - 1),
    }
    trial = tune.with_parameters(Trial, job=job, payload=job.payload(), epochs=told * job.unit_epochs)
    tuner = tune.Tuner(
        trial,
        param_space=space,
        tune_config=tune.TuneConfig(
            metric=METRIC,
            mode="max",
            search_alg=OptunaSearch(seed=job.seed + told),
            scheduler=ASHAScheduler(max_t=told, grace_period=1, reduction_factor=REDUCTION),
            num_samples=-1,
            max_concurrent_trials=WORKERS,
            time_budget_s=max(1.0, job.deadline - CLOSING_S - time.time()),
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            storage_path=str(Path(job.folder).resolve()),
            verbose=0,
            # Otherwise Tune asks a trial that it stops for a checkpoint; one that has none counts as failed, its actor
            # is not used again, and every trial waits for a new process that imports torch.
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
        ),
    )
    tuner.fit()
    ray.shutdown()
