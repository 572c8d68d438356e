"""A study as its journal has it, with typed values in the place of the plain ones that were stored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from superconv_tune.core.codec import decode
from superconv_tune.core.errors import UserError
from superconv_tune.journal.journal import Journal
from superconv_tune.planner.brief import Brief
from superconv_tune.problems.payload import DataCard
from superconv_tune.record.study import Study
from superconv_tune.spec.spec import ExperimentSpec
from superconv_tune.study.places import Places, places
from superconv_tune.study.question import brief_of
from superconv_tune.tracking.handle import StudyHandle


@dataclass(frozen=True)
class StoredStudy:
    """One study of a journal.

    Attributes:
        study: its state.
        where: its places.
        spec: the question, without passwords.
        card: what its data were when it began.
        recorded_handle: where its runs are in MLflow, without a password; None where nothing was recorded.
    """

    study: Study
    where: Places
    spec: ExperimentSpec
    card: DataCard
    recorded_handle: StudyHandle | None

    @staticmethod
    def of(study: Study, where: Places) -> StoredStudy:
        """The study, with what its first event holds decoded."""
        opened = study.opened
        return StoredStudy(
            study=study,
            where=where,
            spec=ExperimentSpec.model_validate(opened.spec),
            card=decode(DataCard, opened.environment["data"]),
            recorded_handle=StudyHandle(**opened.mlflow) if opened.mlflow else None,
        )

    @property
    def name(self) -> str:
        """Of the study."""
        return self.study.opened.name

    @property
    def brief(self) -> Brief:
        """What its spec decides about the search."""
        return brief_of(self.spec)

    def handle(self) -> StudyHandle | None:
        """Where its runs are in MLflow, with the password that the journal does not keep.

        Raises:
            UserError: if a password belongs there and is not at hand.
        """
        if self.recorded_handle is None:
            return None
        recorded = self.recorded_handle
        return StudyHandle(self.where.with_password(recorded.tracking_uri), recorded.experiment_id, recorded.run_id)

    def data_change(self, card: DataCard) -> str:
        """How these data or their split differ from those of the study; empty where they do not."""
        if (self.card.fingerprint, self.card.split_digest) == (card.fingerprint, card.split_digest):
            return ""
        return f"fingerprint {self.card.fingerprint[:12]}, now {card.fingerprint[:12]}"


def existing(root: Path, name: str, storage: str | None) -> Places:
    """Where a study lies.

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
    """The study at these places.

    Raises:
        UserError: if the journal does not know it.
    """
    if not journal.exists(where.name):
        known = ", ".join(journal.names()[:5]) or "none"
        raise UserError(
            f"There is no study {where.name!r} here. Known, newest first: {known}. --output names their folder."
        )
    return StoredStudy.of(Study.replay(journal.events(where.name)), where)
