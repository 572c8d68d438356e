"""The recipe of a family that is fitted and not trained in cycles: fitted again, measured, and kept."""

from __future__ import annotations

import math
import time
from pathlib import Path

import torch

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.kept.keeper import ModelKeeper
from superconv_tune.kept.predictor import FOLDER
from superconv_tune.kept.shelf import publish
from superconv_tune.problems.payload import realise
from superconv_tune.problems.prepare import prepare
from superconv_tune.record.purpose import LongRun
from superconv_tune.record.trial import Fit, TrialRequest
from superconv_tune.spec.recipe_file import RecipeFile
from superconv_tune.study.long_run import DRAFTS, RESULT, Result, result_of, write_json
from superconv_tune.study.machine import require_writable
from superconv_tune.study.question import threads
from superconv_tune.trial.run import run
from superconv_tune.trial.trackers import NullTracker

ONE_GO = "The model of this recipe is fitted in one go: it has no epochs and no learning rate, and no curve to record."


def fit_again(recipe: RecipeFile, folder: Path) -> Result:
    """Fit the recipe's model on the training part; write what it reaches, and the model, into the folder.

    Raises:
        UserError: if its data no longer work, or the folder cannot be written.
    """
    require_writable(folder)
    payload, _ = prepare(recipe.question)
    torch.set_num_threads(threads(recipe.question))  # as a worker does, for another number may round differently
    problem = realise(payload, torch.device("cpu"))
    request = TrialRequest(
        trial_id="long_run",
        attempt=1,
        purpose=LongRun(),
        work=Fit(recipe.fit or {}, reads_test=True),
        params=Hyperparameters(),
        schedule=recipe.question.schedule,
        seed=recipe.seed,
        deadline=math.inf,
    )
    folder.mkdir(parents=True, exist_ok=True)
    drafts = folder / DRAFTS
    outcome = run(request, problem, NullTracker(), time.time, keeper=ModelKeeper(drafts, payload, most=1))
    if outcome.status == "finished":
        publish(drafts, folder / FOLDER, [request.trial_id], most=1)
    result = result_of(outcome, problem, epochs=0.0, max_lr=0.0, losses=())
    write_json(folder / RESULT, result)
    return result
