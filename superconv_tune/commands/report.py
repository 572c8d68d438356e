"""``superconv-tune report NAME``: write the files of a study again; several names: compare them."""

from __future__ import annotations

from typing import Annotated

import typer

from superconv_tune.commands.options import JournalStorage, Output
from superconv_tune.study.refusal import exit_on_user_error

EXAMPLES = """
Examples:

\b
  superconv-tune report digits-20261124-101500
  superconv-tune report NAME --output /mnt/team/runs
  superconv-tune report NAME --open           the page opens in the browser
  superconv-tune report NAME --tensorboard    every curve for TensorBoard too, in runs/NAME/tensorboard
  superconv-tune report NAME OTHER THIRD      one page: data sets, models or policies side by side
"""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command(epilog=EXAMPLES)
def report(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Name of a study, or of several.")],
    output: Output = "runs",
    storage: JournalStorage = None,
    tensorboard: Annotated[  # noqa: FBT002
        bool, typer.Option("--tensorboard", help="Also write TensorBoard's event files, a run per trial.")
    ] = False,
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,  # noqa: FBT002
) -> None:
    """Write verdict.json, report.html and recipe.yaml again from the journal, and print the summary; trains nothing.

    With several names, write side-by-side.html into the output folder and print one table.
    """
    with exit_on_user_error():
        # --help must answer at once, and the imports take seconds.
        from rich.console import Console  # noqa: PLC0415

        from superconv_tune.core.errors import UserError  # noqa: PLC0415
        from superconv_tune.spec.files import expanded  # noqa: PLC0415
        from superconv_tune.study import afterwards  # noqa: PLC0415
        from superconv_tune.study.compare import compare  # noqa: PLC0415
        from superconv_tune.study.render import render  # noqa: PLC0415

        output = str(expanded(output))
        if tensorboard and len(names) > 1:
            raise UserError("--tensorboard writes the curves of one study. Name one, or leave the option out.")
        if len(names) == 1:
            page = render(names[0], output, storage, Console(soft_wrap=True, highlight=False), tensorboard=tensorboard)
        else:
            page = compare(names, output, storage, Console(highlight=False))
    if show:
        afterwards.show(page, typer.echo)
