"""Plain Optuna: TPE and its median pruner, two processes on one journal, cosine schedule."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

import optuna
import torch
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from benchmarks.peers.questions import Question, question
from benchmarks.peers.training import DECAYS, RATES, Diary, Recipe, Task, Trainer, affordable_epochs

PROCESSES = 2
WARM_UP = 5  # epochs without pruning, as in Optuna's tutorial


def run(task: Task) -> None:
    """Two processes search until the deadline."""
    torch.set_num_threads(1)
    asked = question(task.question)
    epochs = affordable_epochs(asked, task.deadline - time.time(), PROCESSES)
    _study(task, 0)
    context = multiprocessing.get_context("fork")  # the tensors are shared as they are
    workers = [context.Process(target=_search, args=(task, asked, epochs, number)) for number in range(PROCESSES)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def _study(task: Task, number: int) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(Path(task.folder) / "optuna.log"))),
        sampler=optuna.samplers.TPESampler(seed=task.seed + number),
        pruner=optuna.pruners.MedianPruner(n_warmup_steps=WARM_UP),
        study_name="peer",
        direction="maximize",
        load_if_exists=True,
    )


def _search(task: Task, asked: Question, epochs: int, number: int) -> None:
    diary = Diary(task.folder)

    def objective(trial: optuna.Trial) -> float:
        recipe = Recipe(
            epochs=epochs,
            lr=trial.suggest_float("lr", *RATES, log=True),
            weight_decay=trial.suggest_float("weight_decay", *DECAYS, log=True),
            batch_size=trial.suggest_categorical("batch_size", asked.batch_sizes),
            seed=task.seed + trial.number,
        )
        trainer = Trainer(asked, recipe)
        best = 0.0
        for epoch, (train_s, eval_s, validation) in enumerate(trainer.epochs(task.deadline)):
            diary.note(train_s, eval_s, validation, trainer.model)
            best = max(best, validation)
            trial.report(validation, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return best

    _study(task, number).optimize(objective, timeout=max(0.1, task.deadline - time.time()))
