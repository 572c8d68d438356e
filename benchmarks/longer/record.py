"""What the records hold of one task: its truth, and what the program's search of it found."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.longer.search import searched
from benchmarks.longer.tasks import TASKS, Task, posed
from benchmarks.longer.truth import halves, truths
from superconv_tune.core.bits import pack
from superconv_tune.planner.brief import Brief
from superconv_tune.planner.evidence import gather
from superconv_tune.record.study import Study
from superconv_tune.verdict.verdict import Evidence

SECONDS_PER_TOP_STEP = 4.0  # virtual, on two workers; the planner gives the longest cycles a half of it at most

Line = dict[str, Any]


def truth_of(name: str, root: Path) -> Line:
    """The best cycles of a task, and how much they are better than nothing."""
    torch.set_num_threads(1)
    started, task = time.time(), TASKS[name]
    problem, _ = posed(task, root)
    found = [asdict(truth) for truth in truths(task, problem)]
    facts = {"task": name, "fresh": len(problem.test) - task.held, "trivial": round(problem.trivial_value, 4)}
    return {**facts, "truths": found, "wall_s": round(time.time() - started, 1)}


def search_of(name: str, root: Path) -> Line:
    """What a search of a task found."""
    torch.set_num_threads(1)
    started, task = time.time(), TASKS[name]
    problem, brief = posed(task, root)
    study = searched(problem, brief, task.batch_size, SECONDS_PER_TOP_STEP * task.top_steps, task.precision)
    return {"task": name, **_found(task, study, brief), "wall_s": round(time.time() - started, 1)}


def _found(task: Task, study: Study, brief: Brief) -> Line:
    """The evidence as the search had it, with the test part of a user, and the recipe's error on fresh items."""
    evidence, recipe = gather(study, brief), study.recipe
    if recipe is None or evidence.correct is None:
        return {"recipe": None, "evidence": None, "error": None}
    error = float(np.mean([1.0 - halves(row, task.held)[1].mean() for row in evidence.correct]))
    return {
        "recipe": {"max_lr": recipe.max_lr, **asdict(recipe.params)},
        "evidence": _evidence(evidence, task.held),
        "error": error,
    }


def _evidence(evidence: Evidence, held: int) -> Line:
    assert evidence.correct is not None
    return {
        "correct": [pack(row[:held]) for row in evidence.correct],
        "rungs": [asdict(rung) for rung in evidence.rungs],
        "repeats": [asdict(repeat) for repeat in evidence.repeats],
        "validation_items": evidence.validation_items,
        "epochs": evidence.epochs,
        "searched": evidence.searched,
        "failed": evidence.failed,
        "is_bracketed": evidence.is_bracketed,
    }
