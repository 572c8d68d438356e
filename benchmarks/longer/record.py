"""What the records hold of one task: its truth, and what the program's searches of it found."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.longer.search import searched
from benchmarks.longer.tasks import TASKS, Task, posed
from benchmarks.longer.truth import halves, truths
from superconv_tune.core.bits import pack, unpack
from superconv_tune.planner.brief import Brief
from superconv_tune.planner.evidence import gather
from superconv_tune.record.study import Study
from superconv_tune.verdict.verdict import Evidence

OUT_OF_REACH = 0.9999  # an accuracy
SHARES = (1.0, 0.4)  # of the budget
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


def searches_of(name: str, root: Path) -> Line:
    """What searches of a task found: for a far target in all of the budget and in less, and for one that is near."""
    torch.set_num_threads(1)
    started, task = time.time(), TASKS[name]
    problem, brief = posed(task, root)

    def found(target: float, share: float) -> Line:
        asked = replace(brief, target=replace(brief.target, value=target))
        budget_s = share * SECONDS_PER_TOP_STEP * task.top_steps
        study = searched(problem, asked, task.batch_size, budget_s, task.precision)
        return {"target": target, "share": share, **_found(task, study, asked)}

    far = [found(OUT_OF_REACH, share) for share in SHARES]
    near = [found(_reached(line, task), 1.0) for line in far[:1] if line["evidence"]]
    return {"task": name, "searches": [*far, *near], "wall_s": round(time.time() - started, 1)}


def _reached(line: Line, task: Task) -> float:
    """Accuracy of the fresh models on the test part that a user has."""
    return float(np.mean([unpack(text, task.held).mean() for text in line["evidence"]["correct"]]))


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
