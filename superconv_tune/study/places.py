"""Where the things of a study lie."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Places:
    """Paths and addresses of one study.

    Attributes:
        root: folder of all studies.
        name: of this one.
        storage: database URL of journal and Optuna study.
        tracking_uri: of MLflow.
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
    def spill_dir(self) -> Path:
        """Where workers keep what MLflow would not take."""
        return self.folder.absolute() / "spill"


def places(root: Path, name: str, storage: str | None, tracking_uri: str | None) -> Places:
    """The places of a study: what the user named, else files under ``root``.

    ``MLFLOW_TRACKING_URI`` counts where neither option nor spec says otherwise.
    """
    local = f"sqlite:///{(root / 'mlflow.db').absolute()}"
    uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or local
    return Places(
        root=root,
        name=name,
        storage=storage or f"sqlite:///{(root / 'studies.db').absolute()}",
        tracking_uri=uri,
        artifact_root=(root / "mlartifacts").absolute() if uri.startswith("sqlite:") else None,
    )
