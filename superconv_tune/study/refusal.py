"""How a command ends where something is the user's to mend."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from superconv_tune.core.errors import UserError


@contextmanager
def exit_on_user_error() -> Iterator[None]:
    """Print the messages of a `UserError` and exit with 2, without a traceback."""
    try:
        yield
    except UserError as error:
        for message in error.messages:
            typer.echo(f"error: {message}", err=True)
        raise typer.Exit(2) from None
