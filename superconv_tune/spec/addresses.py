"""Addresses of database files: written and read by SQLAlchemy's rules, so that a folder may have any name."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError

from superconv_tune.spec.files import expanded

SQLITE = "sqlite"
# An address that quotes characters names the driver too: MLflow 3.17 makes the folder of what follows "sqlite:///",
# and does not unquote it.
WITH_DRIVER = "sqlite+pysqlite"


def address_of(file: Path) -> str:
    """The address of a sqlite file; absolute, so that it holds in any working folder."""
    return _written(URL.create(SQLITE, database=str(file.absolute())))


def file_of(address: str) -> Path | None:
    """The sqlite file at an address; None for a server, a database in memory, or no address at all."""
    url = _url(address)
    if url is None or url.get_backend_name() != SQLITE or not url.database or url.database == ":memory:":
        return None
    return None if url.database.startswith("file:") else expanded(url.database)


def placed(address: str) -> str:
    """The address with ``~`` and ``$VARIABLE`` replaced in the path of a sqlite file.

    Raises:
        UserError: if there is no such user or variable.
    """
    url, file = _url(address), file_of(address)
    return address if url is None or file is None else _written(url.set(database=str(file)))


def absolute(address: str) -> str:
    """The address with an absolute path if it is that of a sqlite file, so that it holds in any working folder.

    Raises:
        UserError: if there is no such user or variable.
    """
    url, file = _url(address), file_of(address)
    return address if url is None or file is None else _written(url.set(database=str(file.resolve())))


def _url(address: str) -> URL | None:
    try:
        return make_url(address)
    except (ArgumentError, ValueError):  # the latter for a port that is no number
        return None


def _written(url: URL) -> str:
    plain = url.render_as_string(hide_password=False)
    if url.drivername != SQLITE or plain == f"{SQLITE}:///{url.database}":
        return plain
    return url.set(drivername=WITH_DRIVER).render_as_string(hide_password=False)
