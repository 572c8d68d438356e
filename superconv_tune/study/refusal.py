"""What a command refuses, and how it ends then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from superconv_tune.core.errors import UserError
from superconv_tune.spec.load import option_of


@contextmanager
def exit_on_user_error() -> Iterator[None]:
    """Print the messages of a `UserError` and exit with 2, without a traceback."""
    try:
        yield
    except UserError as error:
        for message in error.messages:
            typer.echo(f"error: {message}", err=True)
        raise typer.Exit(2) from None


def refuse_new_question(spec: Path | None, overrides: dict[str, str]) -> None:
    """A study that is resumed keeps its question.

    Raises:
        UserError: if a spec or an option that belongs to the question came with ``--resume``.
    """
    options = [option_of(key) for key in sorted(set(overrides) - {"output", "storage"})]
    asked = options + ([str(spec)] if spec else [])
    if asked:
        raise UserError(
            f"--resume goes on with the question as it was asked, but {', '.join(asked)} came too. Leave it out or "
            f"start a new search; only --budget +TIME, --address, --output and --storage go with --resume."
        )


def refuse_two_places(address: str | None, *, debug: bool) -> None:
    """Trials run on a cluster or in this process.

    Raises:
        UserError: if both were asked for.
    """
    if debug and address is not None:
        raise UserError(f"--debug runs in this process, and --address {address} on a cluster. Leave one of them out.")
