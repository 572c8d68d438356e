"""Ray Tune as its users write it: OptunaSearch, ASHA, two trials at once, actors reused, cosine schedule."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import ray
import torch
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch

from benchmarks.peers.questions import Question, question
from benchmarks.peers.training import DECAYS, RATES, Diary, Recipe, Task, Trainer, affordable_epochs

CORES = 2
REDUCTION = 3
METRIC = "validation"


class Training(tune.Trainable):  # type: ignore[misc]  # mypy does not follow Ray
    """One epoch per iteration; a class, because only that keeps its actor, and with it torch and the data."""

    def setup(self, config: dict[str, Any], task: Task, asked: Question) -> None:
        """Once per actor."""
        torch.set_num_threads(1)
        self._task, self._asked, self._diary = task, asked, Diary(task.folder)
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """A new trial on the same actor."""
        recipe = Recipe(**{key: new_config[key] for key in ("epochs", "lr", "weight_decay", "batch_size", "seed")})
        self._trainer = Trainer(self._asked, recipe)
        self._epochs = self._trainer.epochs(self._task.deadline)
        return True

    def step(self) -> dict[str, Any]:
        """One epoch. The best weights are kept by the diary, which costs less than a checkpoint of Ray's."""
        found = next(self._epochs, None)
        if found is None:
            return {METRIC: 0.0, "done": True}
        train_s, eval_s, validation = found
        self._diary.note(train_s, eval_s, validation, self._trainer.model)
        return {METRIC: validation}


def run(task: Task) -> None:
    """Search until the deadline."""
    os.environ.setdefault("RAY_TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")  # TensorBoard, CSV and JSON of every trial
    ray.init(num_cpus=CORES, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    torch.set_num_threads(1)
    asked = question(task.question)
    epochs = affordable_epochs(asked, task.deadline - time.time(), CORES)
    space = {
        "lr": tune.loguniform(*RATES),
        "weight_decay": tune.loguniform(*DECAYS),
        "batch_size": tune.choice(list(asked.batch_sizes)),
        "seed": tune.randint(0, 2**31 - 1),
        "epochs": epochs,
    }
    tuner = tune.Tuner(
        tune.with_parameters(Training, task=task, asked=asked),
        param_space=space,
        tune_config=tune.TuneConfig(
            metric=METRIC,
            mode="max",
            search_alg=OptunaSearch(seed=task.seed),
            scheduler=ASHAScheduler(max_t=epochs, grace_period=1, reduction_factor=REDUCTION),
            num_samples=-1,
            max_concurrent_trials=CORES,
            time_budget_s=max(1.0, task.deadline - time.time()),
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(storage_path=str(Path(task.folder).resolve()), verbose=0),
    )
    tuner.fit()
    ray.shutdown()
