"""``superconv-tune``: every command, with completion in bash, zsh and fish."""

from __future__ import annotations

import typer

from superconv_tune.commands import predict, range_test, report, search, submit, train, verify
from superconv_tune.core.streams import lasting_outputs

HELP = """Can a target be reached on this data within a budget of time, how sure are we, and with which recipe?

`superconv-tune COMMAND --help` has examples of each; `python -m superconv_tune.COMMAND` is the same.
"""
EXAMPLES = """
Examples:

\b
  superconv-tune search                                 the built-in digits, about a minute
  superconv-tune search --data photos/ --target 0.9     a folder, a table, an archive: the format is found
  superconv-tune report NAME --open                     write the files again, and show the report
  superconv-tune --install-completion                   the Tab key completes commands and options from then on
"""

app = typer.Typer(
    help=HELP, epilog=EXAMPLES, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None
)
app.command("search", epilog=search.EXAMPLES, short_help="A verdict on a target, within a budget.")(search.search)
app.command("submit", epilog=submit.EXAMPLES, short_help="The same, as a job on a Ray cluster.")(submit.submit)
app.command("report", epilog=report.EXAMPLES, short_help="Write a report again, or compare studies.")(report.report)
app.command("train", epilog=train.EXAMPLES, short_help="The long run with a recipe.")(train.train)
app.command("predict", epilog=predict.EXAMPLES, short_help="New items, with the model that a study kept.")(
    predict.predict
)
app.command("verify", epilog=verify.EXAMPLES, short_help="Train a recipe again: do the figures repeat?")(verify.verify)
app.command("range-test", epilog=range_test.EXAMPLES, short_help="The learning-rate range test alone.")(
    range_test.range_test
)


def main() -> None:
    """Run the command that the shell gave."""
    lasting_outputs()
    app()
