"""Where the things of a study lie."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from superconv_tune.core.errors import UserError
from superconv_tune.core.secrets import MASK, masked
from superconv_tune.tracking.handle import NO_TRACKING

STORAGE_VARIABLE = "SUPERCONV_TUNE_STORAGE"
TRACKING_VARIABLE = "MLFLOW_TRACKING_URI"


@dataclass(frozen=True)
class Places:
    """Paths and addresses of one study.

    Attributes:
        root: folder of all studies.
        name: of this one.
        storage: database URL of journal and Optuna study.
        tracking_uri: of MLflow; ``none`` where nothing is recorded.
        artifact_root: folder for MLflow's files; None where an MLflow server keeps them.
    """

    root: Path
    name: str
    storage: str
    tracking_uri: str
    artifact_root: Path | None

    @property
    def folder(self) -> Path:
        """Where verdict, report and log of this study go."""
        return self.root / self.name

    @property
    def has_journal(self) -> bool:
        """Whether there can be a study here; a database server is asked and not guessed at."""
        _, is_sqlite, file = self.storage.partition("sqlite:///")
        return not is_sqlite or Path(file).exists()

    @property
    def is_tracked(self) -> bool:
        """Whether curves go to MLflow."""
        return self.tracking_uri != NO_TRACKING

    @property
    def spill_dir(self) -> Path:
        """Where workers keep what MLflow would not take."""
        return self.folder.absolute() / "spill"

    def with_password(self, recorded: str) -> str:
        """The MLflow address of a study, which the journal keeps without its password.

        Raises:
            UserError: if a password belongs there, and ``tracking_uri`` is not that address with one.
        """
        if MASK not in recorded:
            return recorded
        if masked(self.tracking_uri) != masked(recorded):  # an older study may have masked less
            raise UserError(
                f"The runs of {self.name!r} are at {recorded}, whose password is not kept, but {TRACKING_VARIABLE} "
                f"leads to {masked(self.tracking_uri)}. Set it to that address with the password."
            )
        return self.tracking_uri


def places(root: Path, name: str, storage: str | None, tracking_uri: str | None) -> Places:
    """The places of a study: what the user named, else files under ``root``.

    ``SUPERCONV_TUNE_STORAGE`` and ``MLFLOW_TRACKING_URI`` count where neither option nor spec says otherwise: unlike an
    option, they do not show up in a list of processes.

    Raises:
        UserError: if the name leads out of ``root``.
    """
    if Path(name).name != name or name == "..":
        raise UserError(f"--name: a study is a folder in {root}/, but got {name!r}. Leave out / and ..")
    local = f"sqlite:///{(root / 'mlflow.db').absolute()}"
    uri = tracking_uri or os.environ.get(TRACKING_VARIABLE) or local
    named = storage or os.environ.get(STORAGE_VARIABLE)
    return Places(
        root=root,
        name=name,
        storage=_with_driver(named) if named else f"sqlite:///{(root / 'studies.db').absolute()}",
        tracking_uri=uri,
        artifact_root=(root / "mlartifacts").absolute() if uri.startswith("sqlite:") else None,
    )


def _with_driver(storage: str) -> str:
    """``postgresql://`` means psycopg here; SQLAlchemy before 2.1 would look for another driver."""
    for scheme in ("postgresql://", "postgres://"):
        if storage.startswith(scheme):
            return "postgresql+psycopg://" + storage.removeprefix(scheme)
    return storage
