"""Several processes that train together, tried out by two: they take the steps of one process."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.schedule import Schedule
from superconv_tune.problems.problem import Problem
from superconv_tune.record.purpose import LongRun
from superconv_tune.record.trial import Cycle, TrialRequest
from superconv_tune.trial.run import run
from tests.fakes import CLASSES, FEATURES, MemoryTracker, toy_problem

ROOT = Path(__file__).parents[2]
PROCESSES = 2

REQUEST = TrialRequest(
    trial_id="long_run",
    attempt=1,
    purpose=LongRun(),
    work=Cycle(0.2, reads_test=True),
    params=Hyperparameters(cycle_epochs=4.0, batch_size=48),
    schedule=Schedule(),
    seed=5,
    deadline=math.inf,
)


def plain(problem: Problem) -> Problem:
    """Without batch norm and dropout, which differ between one process and several."""
    return replace(
        problem, make_model=lambda: nn.Sequential(nn.Linear(FEATURES, 32), nn.ReLU(), nn.Linear(32, CLASSES))
    )


SCRIPT = """
import json, shutil, sys, time
from dataclasses import replace
from pathlib import Path
import torch
import torch.distributed as dist
from torch import nn
from superconv_tune.problems.together import together
from superconv_tune.training.team import Team
from superconv_tune.trial.checkpointing import Checkpoint
from superconv_tune.trial.run import run
from tests.fakes import MemoryTracker, toy_problem
from tests.training.test_team import PROCESSES, REQUEST, plain

rank, folder = int(sys.argv[1]), Path(sys.argv[2])
torch.set_num_threads(1)
dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=PROCESSES)
team, told = Team(rank, PROCESSES), {}

# A parameter that all use, one that the second process alone uses, one that nobody uses, and one of another format.
model = nn.ParameterList([nn.Parameter(torch.full((2, 3), float(rank))) for _ in range(3)])
model.append(nn.Parameter(torch.tensor([float(rank)], dtype=torch.float64)))
model.register_buffer("seen", torch.tensor(rank + 7))
team.agree(model)
told["agreed"] = [p.flatten().tolist() for p in model] + [model.seen.item()]
for parameter in model:
    parameter.grad = torch.full_like(parameter, 1.0 + rank)
model[2].grad = None
model[1].grad = None if rank == 0 else model[1].grad
team.average_gradients(model)
told["gradients"] = [None if p.grad is None else p.grad.flatten().tolist() for p in model]


def trained(problem, checkpoint=None):
    tracker = MemoryTracker()
    outcome = run(REQUEST, together(problem, team), tracker, time.time, checkpoint=checkpoint)
    return {"losses": tracker.curve("cycle").loss.tolist(), "status": outcome.status, "test": outcome.test}


def copied(step):
    if step == 20:
        shutil.copy(folder / "whole.pt", folder / "cut.pt")


problem = toy_problem()
told["plain"] = trained(plain(problem))
told["whole"] = trained(problem, Checkpoint(folder / "whole.pt", copied))
told["resumed"] = trained(problem, Checkpoint(folder / "cut.pt"))
diverging = replace(problem, loss=lambda o, t, s: problem.loss(o, t, s) * (torch.nan if rank == 1 else 1.0))
told["diverged"] = trained(diverging)
(folder / f"{rank}.json").write_text(json.dumps(told))
dist.destroy_process_group()
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each process found; they meet in a file."""
    folder = tmp_path_factory.mktemp("team")
    processes = [
        subprocess.Popen([sys.executable, "-c", SCRIPT, str(rank), str(folder)], cwd=ROOT) for rank in range(PROCESSES)
    ]
    assert [process.wait(200) for process in processes] == [0] * PROCESSES
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(PROCESSES)]


def test_weights_are_those_of_the_first_process(told: list[dict[str, Any]]) -> None:
    assert told[0]["agreed"] == told[1]["agreed"] == [[0.0] * 6, [0.0] * 6, [0.0] * 6, [0.0], 7]


def test_gradients_are_means_and_an_unused_parameter_has_none(told: list[dict[str, Any]]) -> None:
    assert told[0]["gradients"] == told[1]["gradients"] == [[1.5] * 6, [1.0] * 6, None, [1.5]]


def test_the_curve_of_several_processes_is_that_of_one(told: list[dict[str, Any]]) -> None:
    alone = MemoryTracker()
    outcome = run(REQUEST, plain(toy_problem()), alone, time.time)
    losses = alone.curve("cycle").loss
    assert len(losses) == 40
    for found in told:
        np.testing.assert_allclose(found["plain"]["losses"], losses, rtol=1e-4)
    assert told[0]["plain"]["test"] == pytest.approx(outcome.test, abs=0.01)
    assert told[1]["plain"]["test"] is None  # the first process alone evaluates


def test_a_continued_curve_is_the_same_bit_for_bit_with_dropout_and_batch_norm(told: list[dict[str, Any]]) -> None:
    for found in told:
        assert found["resumed"] == found["whole"]
        assert found["whole"]["status"] == "finished"
    assert told[0]["whole"]["losses"] == told[1]["whole"]["losses"]


def test_all_processes_stop_where_one_diverges(told: list[dict[str, Any]]) -> None:
    assert [found["diverged"]["status"] for found in told] == ["nan", "nan"]
