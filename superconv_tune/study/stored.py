"""A study read from its journal, with its first event decoded into typed values."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

from superconv_tune.core.codec import decode
from superconv_tune.core.errors import UserError
from superconv_tune.core.secrets import Address
from superconv_tune.journal.journal import Journal
from superconv_tune.planner.brief import Brief
from superconv_tune.problems.payload import DataCard
from superconv_tune.record.events import Opened
from superconv_tune.record.study import Study
from superconv_tune.spec.addresses import address_of
from superconv_tune.spec.files import relocate
from superconv_tune.spec.spec import ExperimentSpec
from superconv_tune.study.places import Places, places
from superconv_tune.study.question import brief_of
from superconv_tune.tracking.handle import StudyHandle

ROOT = "root"  # in the environment of a study: the folder of all studies when it began


@dataclass(frozen=True)
class StoredStudy:
    """One study of a journal.

    Attributes:
        study: its state.
        where: its paths and addresses.
        spec: the question, without passwords.
        card: facts about its data when it began.
        recorded_handle: its parent run in MLflow, the address without a password; None if nothing was recorded.
    """

    study: Study
    where: Places
    spec: ExperimentSpec
    card: DataCard
    recorded_handle: StudyHandle | None

    @staticmethod
    def of(study: Study, where: Places) -> StoredStudy:
        """The study, with its first event decoded."""
        opened = study.opened
        return StoredStudy(
            study=study,
            where=where,
            spec=ExperimentSpec.model_validate(opened.spec),
            card=decode(DataCard, opened.environment["data"]),
            recorded_handle=StudyHandle.of(opened.mlflow) if opened.mlflow else None,
        )

    @property
    def name(self) -> str:
        """Name of the study."""
        return self.study.opened.name

    @property
    def brief(self) -> Brief:
        """What the planner needs of its spec."""
        return brief_of(self.spec)

    def handle(self) -> StudyHandle | None:
        """Its parent run in MLflow, with the password that the journal does not keep.

        Raises:
            UserError: if the address needs a password that is not set.
        """
        if self.recorded_handle is None:
            return None
        recorded = self.recorded_handle
        return replace(recorded, tracking_uri=self.where.with_password(recorded.tracking_uri))

    def data_change(self, card: DataCard) -> str:
        """How these data or their split differ from those of the study; empty if they do not."""
        if (self.card.fingerprint, self.card.split_digest) == (card.fingerprint, card.split_digest):
            return ""
        return f"fingerprint {self.card.fingerprint[:12]}, now {card.fingerprint[:12]}"


def existing(root: Path, name: str, storage: str | None) -> Places:
    """The places of a study in this folder, or in this database.

    Raises:
        UserError: if nothing was searched there yet.
    """
    where = places(root, name, storage, tracking_uri=None)
    if not where.has_journal:
        raise UserError(
            f"There is no study {name!r}: nothing was searched in {root}/ yet. --output names another folder."
        )
    return where


def stored(journal: Journal, where: Places) -> StoredStudy:
    """The study of this name in the journal.

    Raises:
        UserError: if the journal does not have it.
    """
    if not journal.exists(where.name):
        known = ", ".join(journal.names()[:5]) or "none"
        raise UserError(
            f"There is no study {where.name!r} here. Known, newest first: {known}. --output names their folder."
        )
    root = where.root.resolve()
    events = (_here(event, root) if isinstance(event, Opened) else event for event in journal.events(where.name))
    return StoredStudy.of(Study.replay(events), where)


def _here(opened: Opened, root: Path) -> Opened:
    """The event with the paths of today, where the folder of all studies was moved since."""
    before = opened.environment.get(ROOT)
    before = Path(before) if isinstance(before, str) else None
    mlflow = dict(opened.mlflow)
    store = Address(mlflow["tracking_uri"]).file if mlflow else None
    if store is not None:
        mlflow["tracking_uri"] = address_of(_moved(store, before, root))
    spec = deepcopy(dict(opened.spec))
    if before is not None:
        relocate(spec, before, root)
    return replace(opened, mlflow=mlflow, spec=spec)


def _moved(file: Path, before: Path | None, root: Path) -> Path:
    """Where a file is after the folder ``before`` became ``root``; older studies do not say what it was before."""
    if before is None:
        return root / file.name if not file.exists() and (root / file.name).exists() else file
    return root / file.relative_to(before) if file.is_relative_to(before) else file
