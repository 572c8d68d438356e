"""The paths and addresses of a study."""

from __future__ import annotations

import os
import shlex
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from superconv_tune.core.errors import UserError
from superconv_tune.core.secrets import MASK, Address, remember
from superconv_tune.spec.addresses import address_of, placed
from superconv_tune.tracking.handle import NO_TRACKING

STORAGE_VARIABLE = "SUPERCONV_TUNE_STORAGE"
TRACKING_VARIABLE = "MLFLOW_TRACKING_URI"
USUAL_ROOT = Path("runs")  # of a command without --output
ARTIFACTS = "mlartifacts"  # folder of MLflow's files, beside its sqlite file
# Secrets that libraries read themselves; they are known here so that they are masked.
SECRET_VARIABLES = ("PGPASSWORD", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "RAY_AUTH_TOKEN")


@dataclass(frozen=True)
class Places:
    """Paths and addresses of one study.

    Attributes:
        root: folder of all studies.
        name: name of this study.
        storage: database URL of journal and Optuna study.
        tracking_uri: address of MLflow; ``none`` if nothing is recorded.
        artifact_root: folder for MLflow's files; None if an MLflow server keeps them.
        names_storage: whether a command about the study has to name its storage: neither the folder nor the
            environment leads to it.
    """

    root: Path
    name: str
    storage: Address
    tracking_uri: Address
    artifact_root: Path | None
    names_storage: bool = False

    @property
    def folder(self) -> Path:
        """Folder of verdict, report and log."""
        return self.root / self.name

    @property
    def has_journal(self) -> bool:
        """Whether a journal may exist here: True for a database server, which has to be asked."""
        return self.storage.file is None or self.storage.file.exists()

    @property
    def is_tracked(self) -> bool:
        """Whether curves go to MLflow."""
        return self.tracking_uri.shown != NO_TRACKING

    @property
    def spill_dir(self) -> Path:
        """Folder in which workers keep records that MLflow did not accept."""
        return self.folder.absolute() / "spill"

    @property
    def drafts(self) -> Path:
        """Folder in which workers keep models until the study chooses among them."""
        return self.folder.absolute() / "drafts"

    @property
    def model(self) -> Path:
        """Folder of the models that the study keeps."""
        return self.folder / "model"

    def command(self, verb: str, *options: str) -> str:
        """A command about this study, as a shell takes it: ``report``, or ``search`` with ``--resume``.

        In place of a password it has ``***``.
        """
        named = ["--resume", self.name] if verb == "search" else [self.name]
        root = [] if self.root == USUAL_ROOT else ["--output", str(self.root)]
        storage = ["--storage", self.storage.shown] if self.names_storage else []
        return shlex.join(["python", "-m", f"superconv_tune.{verb}", *named, *options, *root, *storage])

    @property
    def how_to_go_on(self) -> str:
        """The commands that continue and that report a study whose driver has ended."""
        return (
            f"`{self.command('search')}` goes on until the deadline, and `{self.command('report')}` writes the report."
        )

    def with_password(self, recorded: Address) -> Address:
        """The recorded MLflow address with its password, which the journal does not keep.

        Raises:
            UserError: if the address needs a password and ``tracking_uri`` is a different address.
        """
        if MASK not in recorded.shown:
            return recorded
        if self.tracking_uri.shown != recorded.shown:
            raise UserError(
                f"The MLflow runs of {self.name!r} are at {recorded}, whose password is not kept, but "
                f"{TRACKING_VARIABLE} leads to {self.tracking_uri}. Set it to the address of the runs, with "
                f"the password."
            )
        return self.tracking_uri


def places(root: Path, name: str, storage: Address | str | None, tracking_uri: Address | str | None) -> Places:
    """The places of a study: what the user named, else files under ``root``.

    ``SUPERCONV_TUNE_STORAGE`` and ``MLFLOW_TRACKING_URI`` count if neither option nor spec says otherwise; unlike an
    option, they do not show in a list of processes.

    Raises:
        UserError: if the name is not a plain folder name, it is not clear where the password of an address ends, or a
            path begins at a user or a variable that does not exist.
    """
    if Path(name).name != name or name == "..":
        raise UserError(f"--name: a study is a folder in {root}/, but got {name!r}. Leave out / and ..")
    remember(filter(None, map(os.environ.get, SECRET_VARIABLES)))
    uri = _named("tracking_uri", tracking_uri, TRACKING_VARIABLE) or Address(address_of(root / "mlflow.db"))
    found = _storage(root, storage)
    return Places(
        root=root,
        name=name,
        storage=found,
        tracking_uri=uri,
        artifact_root=None if uri.file is None else (root / ARTIFACTS).absolute(),
        names_storage=bool(storage) and found != _unnamed(root),
    )


def _unnamed(root: Path) -> Address | None:
    """The storage of a command that names none; None where what stands in the environment is no address."""
    with suppress(UserError):
        return _storage(root, None)
    return None


def _storage(root: Path, given: Address | str | None) -> Address:
    """The address of the storage that the user named, that stands in the environment, or of the file in ``root``."""
    return _with_driver(_named("storage", given, STORAGE_VARIABLE) or Address(address_of(root / "studies.db")))


def _named(key: str, given: Address | str | None, variable: str) -> Address | None:
    """The address that the user named, or that stands in the environment."""
    if given:
        return _placed(Address.of(given, key))
    return _placed(Address.of(os.environ[variable], variable)) if os.environ.get(variable) else None


def _placed(address: Address) -> Address:
    return Address(placed(address.reveal())) if address.file else address


def _with_driver(storage: Address) -> Address:
    """The address with psycopg as its driver; SQLAlchemy before 2.1 would look for another one."""
    if storage.scheme in ("postgresql", "postgres"):
        return Address("postgresql+psycopg" + storage.reveal().removeprefix(storage.scheme))
    return storage
