"""How a command refuses wrong input."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer

from superconv_tune.core.errors import UserError, one_line
from superconv_tune.core.interruption import interruptible
from superconv_tune.spec.options import option_of

GO_WITH_RESUME = (
    "--budget +TIME, --accept-changes, --address, --debug, --output, --storage, --require, --on-end and --open"
)
# What the machine may refuse to any command, and how to mend it; another `OSError` is a fault of the program.
MENDS = {
    errno.EACCES: "Change who may use it, or name another place.",
    errno.EPERM: "Change who may use it, or name another place.",
    errno.EROFS: "Name a place that can be written.",
    errno.ENOSPC: "Make room on the disk, then repeat the command.",
    errno.EDQUOT: "Make room within your quota, then repeat the command.",
    errno.ENAMETOOLONG: "Shorten the name.",
}


@contextmanager
def exit_on_user_error(interrupted: str = "interrupted; the same command begins again.") -> Iterator[None]:
    """Print the messages of a `UserError` and exit with 2, without a traceback; with 130 after an interruption.

    A file, a folder or a disk that cannot be used (`MENDS`) is answered like a `UserError`.

    A message may contain names from the data; whatever is not printable in them is left out.

    Args:
        interrupted: the message then, with how to go on, unless the interruption has one of its own.
    """
    try:
        with interruptible():
            yield
    except UserError as error:
        for message in error.messages:
            typer.echo(f"error: {one_line(message)}", err=True)
        raise typer.Exit(2) from None
    except OSError as error:
        if error.errno not in MENDS:
            raise
        where = "" if error.filename is None else f"{error.filename}: "
        typer.echo(f"error: {one_line(where)}{error.strerror}. {MENDS[error.errno]}", err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt as error:
        typer.echo(str(error) or interrupted, err=True)
        raise typer.Exit(130) from None


def refuse_new_question(spec: Path | None, overrides: dict[str, str], name: str | None, *, dry_run: bool) -> None:
    """Refuse to change the question of a study that is resumed, to name it anew, or to plan it.

    Raises:
        UserError: if a spec or an option that belongs to a new search was given with ``--resume``.
    """
    options = [option_of(key) for key in sorted(set(overrides) - {"output", "storage"})]
    options += ["--name"] * (name is not None) + ["--dry-run"] * dry_run
    asked = options + ([str(spec)] if spec else [])
    if asked:
        raise UserError(
            f"--resume continues the question as it was asked, but got {', '.join(asked)} too. Leave it out or "
            f"start a new search; only {GO_WITH_RESUME} go with --resume."
        )


def refuse_changes(name: str, changed: Sequence[str], *, accepted: bool) -> None:
    """Refuse to go on with a study whose code, versions or device have changed, unless the user accepts it.

    Raises:
        UserError: with every change.
    """
    if changed and not accepted:
        raise UserError(
            f"{name!r} is no longer what it was: {'; '.join(changed)}. Its figures would mix two things. Undo the "
            f"change, start a new search, or go on with --accept-changes, which is recorded."
        )


def refuse_accepting_nothing(resume: str | None, *, accepted: bool) -> None:
    """Refuse ``--accept-changes`` without ``--resume``.

    Raises:
        UserError: if there is nothing that could have changed.
    """
    if accepted and resume is None:
        raise UserError("--accept-changes: goes with --resume NAME. A new search has nothing that could have changed.")


def refuse_fresh_ledger(reason: str | None, resume: str | None) -> None:
    """Refuse ``--fresh-ledger`` without a reason, and for a study that is resumed.

    Raises:
        UserError: if that is so.
    """
    if reason is not None and not reason.strip():
        raise UserError("--fresh-ledger takes the reason why earlier looks at the test part do not count. Write it.")
    if reason is not None and resume is not None:
        raise UserError(
            f"--fresh-ledger begins with a new search, and --resume continues one, but got {reason!r}. Leave it out."
        )


def refuse_two_places(address: str | None, *, debug: bool) -> None:
    """Refuse ``--debug`` together with the address of a cluster.

    Raises:
        UserError: if both were given.
    """
    if debug and address is not None:
        raise UserError(f"--debug runs in this process, and --address {address} on a cluster. Leave one of them out.")
