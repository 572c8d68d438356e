"""One folder of the models that a study keeps, made of what its trials have left; at any time the old one or the new.

Files are named after their content, and ``model.json`` names the files that belong together. It is replaced in one
step, after everything that it names is there, and what it no longer names is removed after that.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from superconv_tune.core.errors import UserError
from superconv_tune.core.files import write_atomically
from superconv_tune.kept.answers import together
from superconv_tune.kept.description import FORMAT, INDEX, Answer, Description, Kept, Member, as_json, read_index
from superconv_tune.kept.keeper import best, drafts_in, remove
from superconv_tune.kept.weights import tensors_in
from superconv_tune.measures.metrics import METRICS
from superconv_tune.record.kept import Ensemble, KeptModels
from superconv_tune.verdict.statistics import LEVEL, of_one_model


@dataclass(frozen=True)
class _Candidate:
    """A model that may be kept, and the folder that its files are in."""

    member: Member
    description: Description
    place: Path


def publish(drafts: Path, folder: Path, trials: Collection[str], most: int) -> KeptModels | None:
    """Choose the models that validated best, and make one folder of them; then the drafts are removed.

    Args:
        drafts: folder of what trials have left, or that does not exist.
        folder: folder of the models that are kept.
        trials: ids of the trials that count: fresh models of the final recipe.
        most: number of models that are kept.

    Returns:
        The models in the folder; None if it holds none of these trials.

    Raises:
        OSError: if the folder cannot be written.
    """
    left = drafts_in(drafts)
    fresh = [
        _Candidate(draft.member, draft.description, drafts / draft.member.trial)
        for draft in left
        if draft.member.trial in trials
    ]
    names = {candidate.member.trial for candidate in fresh}
    old = [
        _Candidate(member, kept.description, folder)
        for kept in filter(None, [_published(folder)])
        for member in kept.members
        if member.trial in trials and member.trial not in names
    ]
    if fresh and most > 0:
        _write(_chosen([*fresh, *old], most), folder)
    for draft in left:
        remove(drafts / draft.member.trial)
    shutil.rmtree(drafts, ignore_errors=True)
    return facts(folder, trials)


def facts(folder: Path, trials: Collection[str]) -> KeptModels | None:
    """The models in a folder, for a report; None if it holds none of these trials."""
    kept = _published(folder)
    if kept is None or not kept.members or not all(member.trial in trials for member in kept.members):
        return None
    sizes = [(folder / member.file).stat().st_size for member in kept.members if (folder / member.file).exists()]
    return KeptModels(str(folder), len(kept.members), kept.members[0].seed, sum(sizes), kept.ensemble)


def _published(folder: Path) -> Kept | None:
    """What the folder holds; None if that is nothing that this version can read."""
    try:
        return read_index(folder)
    except UserError:
        return None


def _chosen(candidates: list[_Candidate], most: int) -> list[_Candidate]:
    by_trial = {candidate.member.trial: candidate for candidate in candidates}
    direction = candidates[0].description.direction
    members = best((candidate.member for candidate in candidates), direction)[:most]
    return [by_trial[member.trial] for member in members]


def _write(chosen: list[_Candidate], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    members = tuple(_placed(candidate, folder) for candidate in chosen)
    description = chosen[0].description
    ensemble = _ensemble(members, description, folder)
    write_atomically(folder / INDEX, as_json(Kept(FORMAT, description, members, ensemble)))
    named = {INDEX, *(name for member in members for name in (member.file, member.outputs))}
    for file in folder.iterdir():
        if file.name not in named and file.is_file():
            file.unlink(missing_ok=True)


def _placed(candidate: _Candidate, folder: Path) -> Member:
    """The model, with its files in the folder under names that no other content has."""
    member = candidate.member
    stem = f"{member.trial}-{member.sha256[:12]}"
    placed = replace(
        member,
        file=f"{stem}.{member.weights}",
        outputs=f"{stem}.test.safetensors" if member.outputs else "",
    )
    _copy(candidate.place / member.file, folder / placed.file)
    if member.outputs:
        _copy(candidate.place / member.outputs, folder / placed.outputs)
    return placed


def _copy(source: Path, target: Path) -> None:
    """Let a file be in the folder too, whole or not at all; without a copy where the disk can do that."""
    if target.exists():  # names are made of the content, so that it is this one
        return
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        write_atomically(target, source.read_bytes())


def _ensemble(members: tuple[Member, ...], description: Description, folder: Path) -> Ensemble | None:
    """The models as one, on the test part; None if there is one alone, or its outputs are not known."""
    metric = METRICS.get(description.metric)
    if len(members) < 2 or metric is None or not all(member.outputs for member in members):
        return None
    tested = [tensors_in((folder / member.outputs).read_bytes()) for member in members]
    answer = description.answer
    # The outputs of numbers are in the units of the targets already.
    joint = together([each["outputs"] for each in tested], Answer(answer.kind, answer.labels))
    targets, groups = tested[0]["targets"], tested[0].get("groups")
    value = float(metric.compute(joint, targets))
    if metric.correct is None:
        return Ensemble(len(members), value, None, None, LEVEL)
    correct = metric.correct(joint, targets).numpy()
    limits = of_one_model(correct, None if groups is None else groups.numpy(), LEVEL)
    return Ensemble(len(members), value, *limits, LEVEL)
