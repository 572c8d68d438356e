"""``python -m superconv_tune.report NAME``: the files of a study again, from its journal."""

from __future__ import annotations

from typing import Annotated

import typer

from superconv_tune.core.errors import UserError

EXAMPLES = """
Examples:

\b
  python -m superconv_tune.report digits-20261124-101500
  python -m superconv_tune.report NAME --output /mnt/team/runs
"""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command(epilog=EXAMPLES)
def report(
    name: Annotated[str, typer.Argument(help="Of the study.")],
    output: Annotated[str, typer.Option(help="Folder of all studies.")] = "runs",
    storage: Annotated[
        str | None, typer.Option(help="Database URL of the journal; in the output folder otherwise.")
    ] = None,
) -> None:
    """Render verdict.json, report.html and recipe.yaml again, and print the summary; nothing is trained."""
    # --help must answer at once, and the imports take seconds.
    from superconv_tune.study import service  # noqa: PLC0415

    try:
        service.render(name, output, storage)
    except UserError as error:
        for message in error.messages:
            typer.echo(f"error: {message}", err=True)
        raise typer.Exit(2) from None


if __name__ == "__main__":
    app()
