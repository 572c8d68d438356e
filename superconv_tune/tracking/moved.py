"""A sqlite store that was moved together with its folder of artifacts, which MLflow names by its absolute path."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from superconv_tune.tracking.handle import StudyHandle, TrackingError

COLUMNS = {"experiments": "artifact_location", "runs": "artifact_uri"}


def follow_move(handle: StudyHandle, artifact_root: Path) -> None:
    """Let the store name the folder of artifacts that is beside it, if the one that it names is another.

    Raises:
        TrackingError: if the store cannot be read or written.
    """
    store = handle.tracking_uri.file
    if store is None or not store.exists() or not artifact_root.exists():
        return
    try:
        with closing(sqlite3.connect(store)) as database, database:
            _rename(database, handle.experiment_id, artifact_root.resolve().as_uri())
    except sqlite3.Error as error:
        raise TrackingError(f"The addresses of the artifacts in {store} could not be changed: {error}") from error


def _rename(database: sqlite3.Connection, experiment_id: str, now: str) -> None:
    asked = "SELECT artifact_location FROM experiments WHERE experiment_id = ?"
    row = database.execute(asked, [int(experiment_id)]).fetchone()
    before = row[0] if row else now
    if before == now or Path(before).name != Path(now).name:  # the same folder, or one that somebody chose
        return
    for table, column in COLUMNS.items():
        database.execute(
            f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {column} = ? OR substr({column}, 1, ?) = ?",
            [now, len(before) + 1, before, len(before) + 1, f"{before}/"],
        )
