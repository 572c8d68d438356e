"""The checks before a search begins, one line each; a line that is not good says how to fix it."""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping, Sequence

import torch

from superconv_tune.core.check import Check
from superconv_tune.core.errors import UserError
from superconv_tune.core.imports import package_version
from superconv_tune.data.budget import free_memory
from superconv_tune.problems.payload import DataCard, Payload
from superconv_tune.study.machine import GIB, NETWORK, filesystem, free_disk, is_writable
from superconv_tune.study.places import Places
from superconv_tune.study.question import Question
from superconv_tune.verdict.groups import FEW
from superconv_tune.verdict.verdict import ALPHA

WORKER_BYTES = 600 * 2**20  # of one worker with torch and Ray, before it holds a model
NUMBERS_PER_WEIGHT = 6  # weight, gradient, two moments, and a copy of the weights on their way to disk
BYTES_PER_NUMBER = 4
STUDY_BYTES = 500 * 2**20  # journal, curves and figures of a long study
LEAST_DISK_BYTES = 100 * 2**20
TARGETS = {"regression": "numbers", "structured": "several whole numbers each", "loader": "from loaders"}
CLOCK_S = 1.0  # a smaller difference is not worth a word
SHOWN = 4  # machines in a message
SHOWN_PACKAGES = ("torch", "ray", "optuna", "mlflow")


def checks_of(question: Question, where: Places, workers: int) -> list[Check]:
    """All checks of a search, in order.

    Args:
        question: its data and its model were tried already.
        where: the study's places; storage and tracking were opened already.
        workers: expected number of trials at once.
    """
    return [
        _data(question),
        _split(question),
        _model(question),
        *_smoke(question),
        _memory(question, workers),
        *disk_checks(where),
        *_file_systems(where),
        Check("storage", f"{where.storage} is writable"),
        _mlflow(where),
        Check("versions", _versions()),
    ]


def disk_checks(where: Places) -> list[Check]:
    """Whether the study's folder can be written; checked before anything is created in it."""
    if not is_writable(where.folder):
        return [Check("disk", f"{where.root} cannot be written.", "failure", "Choose another folder with --output.")]
    free = free_disk(where.folder)
    found = f"{free / GIB:.1f} GiB free in {where.root}"
    if free < LEAST_DISK_BYTES:
        return [Check("disk", f"{found}.", "failure", "Make room, or choose another folder with --output.")]
    if free < STUDY_BYTES:
        return [Check("disk", found, "warning", "A long study may need more: make room, or use --output.")]
    return [Check("disk", found)]


def machine_checks(clocks: Mapping[str, float | None], where: Places) -> list[Check]:
    """What other machines mean for a search, once they are known.

    Args:
        clocks: by how many seconds the clock of each other machine is ahead; None if it did not answer.
        where: the study's places.
    """
    if not clocks:
        return []
    checks = [_clocks(clocks)]
    if where.is_tracked and where.tracking_uri.file is not None:
        found = f"{where.tracking_uri} is a file of this machine, and trials run on {_some(list(clocks))} too."
        mend = "Name a server that all of them reach, --tracking-uri http://HOST:5000, or record nothing: none."
        checks.append(Check("MLflow", found, "failure", mend))
    return checks


def _clocks(clocks: Mapping[str, float | None]) -> Check:
    wrong = [f"{host} {_ahead(ahead_s)}" for host, ahead_s in clocks.items() if _ahead(ahead_s)]
    if not wrong:
        return Check("clocks", f"{_some(list(clocks))}: within {CLOCK_S:g} s of this machine's")
    mend = "Deadlines follow this machine's clock everywhere; in logs of the others, mind the difference."
    return Check("clocks", f"{_some(wrong)}.", "warning", mend)


def _ahead(ahead_s: float | None) -> str:
    """What is wrong with a clock; empty for nothing."""
    if ahead_s is None:
        return "did not answer"
    if abs(ahead_s) < CLOCK_S:
        return ""
    return f"is {abs(ahead_s):,.0f} s {'ahead' if ahead_s > 0 else 'behind'}"


def _some(words: Sequence[str]) -> str:
    return ", ".join(words[:SHOWN]) + (f" and {len(words) - SHOWN} more" if len(words) > SHOWN else "")


def _file_systems(where: Places) -> list[Check]:
    """A warning if a sqlite file lies where other machines may lock it in their own way."""
    files = [address.file for address in (where.storage, where.tracking_uri) if address.file is not None]
    shared = {file.name: kind for file in files if (kind := filesystem(file)) in NETWORK}
    if not shared:
        return []
    found = f"{', '.join(f'{name} is on {kind}' for name, kind in shared.items())}, a network file system."
    mend = "sqlite gets damaged there when two machines write: keep --output on a local disk, or use PostgreSQL."
    return [Check("file system", found, "warning", mend)]


def looks_check(others: Sequence[str], fresh_ledger: str | None, card: DataCard) -> Check:
    """Whether other searches looked at the same test part, which makes a demonstration harder."""
    # What loaders will yield is not read for this.
    since = " since the file of the task was changed, and of those before it is not known" * (card.kind == "loader")
    if not others:
        return Check("test part", f"no other search of this storage looked at it{since}")
    found = f"{len(others)} other search{'es' * (len(others) != 1)} looked at it ({', '.join(others)}){since}"
    if fresh_ledger is not None:
        return Check("test part", f"{found}; not counted: {fresh_ledger}")
    return Check(
        "test part",
        found,
        "warning",
        "The more looks, the more confidence a demonstration needs. A new test part begins anew, and so does "
        "--fresh-ledger REASON where nothing was learned from those looks.",
    )


def refuse(checks: Sequence[Check]) -> None:
    """Raise UserError if a check failed.

    Raises:
        UserError: with a message for every failure.
    """
    failed = [f"{check.name}: {check.found} {check.mend}" for check in checks if check.state == "failure"]
    if failed:
        raise UserError(failed)


def _data(question: Question) -> Check:
    card = question.card
    items = card.train_items + card.validation_items + card.test_items
    targets = f"{card.classes} classes" if card.classes else TARGETS[card.kind]
    return Check("data", f"{items:,} examples, {targets}, one input {list(card.input_shape)}")


def _split(question: Question) -> Check:
    card, spec = question.card, question.spec
    found = f"{card.train_items:,} train, {card.validation_items:,} validation, {card.test_items:,} test"
    if card.test_groups:
        return _group_split(card, f"{found} ({card.test_groups:,} groups)", spec.target if spec.item_level else None)
    if spec.target is None or not spec.item_level:
        return Check("split", found)
    error = math.sqrt(spec.target * (1.0 - spec.target) / card.test_items)
    if spec.target + 2.0 * error <= 1.0:
        return Check("split", found)
    return Check(
        "split",
        found,
        "warning",
        f"Even a perfect score on so few test examples would hardly demonstrate {spec.target:g}: raise split.test, or "
        f"add data.",
    )


def _group_split(card: DataCard, found: str, target: float | None) -> Check:
    """Whether the test part has enough groups for an interval, and to demonstrate the target if all of them are right.

    If so many groups are all right, the lower limit of the share of right ones is the level to the power of one over
    their number.
    """
    is_between = target is not None and 0.0 < target < 1.0
    enough = max(FEW, math.ceil(math.log(ALPHA / 2.0) / math.log(target))) if target and is_between else FEW
    if card.test_groups >= enough:
        return Check("split", found)
    why = (
        "So few groups say little about new ones"
        if card.test_groups < FEW
        else f"Even a perfect score on so few test groups would hardly demonstrate {target:g}, which takes {enough:,}"
    )
    return Check("split", found, "warning", f"{why}: raise split.test, or add groups.")


def _model(question: Question) -> Check:
    card, wanted = question.model, question.payload.first.spec.model
    if question.payload.first.is_fitted:
        return Check("model", ", ".join(family.name for family in question.families))
    name = (wanted.name or wanted.factory) if wanted else "model of the task"
    frozen = f", {card.frozen:,} frozen" if card.frozen else ""
    found = "; ".join((f"{name}: {card.parameters:,} parameters{frozen}", "one forward and backward pass", *card.notes))
    given, classes = math.prod(card.outputs), question.card.classes
    if classes is None or given <= max(2, classes):
        return Check("model", found)
    mend = (
        f"It has {given} outputs for {classes} classes: is that intended? `head: linear` gives it a fresh last layer."
    )
    return Check("model", found, "warning", mend)


def _smoke(question: Question) -> list[Check]:
    measured = question.measured
    steps = ", ".join(f"{1000 * seconds:,.1f} ms with {size}" for size, seconds in measured.step_s.items())
    if not question.has_networks:
        return []
    return [
        Check("smoke trial", "a few steps and an evaluation with every batch size"),
        Check("speed", f"{steps} examples a step; evaluation {measured.eval_s:.2g} s; {measured.precision}"),
    ]


def _memory(question: Question, workers: int) -> Check:
    weights = question.model.parameters * NUMBERS_PER_WEIGHT * BYTES_PER_NUMBER
    needed = workers * (WORKER_BYTES + weights) + 2 * _data_bytes(question.payload)
    free = free_memory()
    if free is None:
        return Check("memory", f"about {needed / GIB:.1f} GiB needed; the free memory is not known here")
    trials = "one trial at a time" if workers == 1 else f"{workers} trials at once"
    found = f"{free / GIB:.1f} GiB free, about {needed / GIB:.1f} GiB needed by {trials}"
    if free >= needed:
        return Check("memory", found)
    return Check("memory", found, "warning", "Lower resources.workers (--workers), or end other programs.")


def _data_bytes(payload: Payload) -> int:
    if payload.arrays is None:
        return 0
    parts = (payload.arrays.train, payload.arrays.validation, payload.arrays.test)
    return sum(int(part.inputs.size) * part.inputs.dtype.itemsize + part.targets.nbytes for part in parts)


def _mlflow(where: Places) -> Check:
    if not where.is_tracked:
        return Check("MLflow", "not used: no curves are recorded")
    return Check("MLflow", f"{where.tracking_uri} answers")


def _versions() -> str:
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    shown = ", ".join(f"{name} {package_version(name) or 'not installed'}" for name in SHOWN_PACKAGES)
    return f"Python {platform.python_version()}, {shown}; {device}"
