"""``superconv-tune verify NAME``: train the recipe of a study again; agree or disagree with its figures."""

from __future__ import annotations

from typing import Annotated

import typer

from superconv_tune.commands.options import JournalStorage, Output
from superconv_tune.study.refusal import exit_on_user_error

EXAMPLES = """
Examples:

\b
  superconv-tune verify digits-20261124-101500
  superconv-tune verify NAME --seeds 5 --output /mnt/team/runs

\b
Exit codes: 0 the study is confirmed; 3 it is not; 2 the input is wrong, or the data have changed since;
130 interrupted; 1 a failure of the program itself.
"""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command(epilog=EXAMPLES)
def verify(
    name: Annotated[str, typer.Argument(help="Name of the study.")],
    seeds: Annotated[int, typer.Option(min=2, max=20, help="Number of fresh models to train.")] = 3,
    output: Output = "runs",
    storage: JournalStorage = None,
    accept_changes: Annotated[  # noqa: FBT002
        bool, typer.Option("--accept-changes", help="Verify though code, versions or device changed; it is recorded.")
    ] = False,
) -> None:
    """Train the recipe of a study again, with one of its seeds and with fresh ones, and compare on its test part."""
    done = []
    with exit_on_user_error():
        # --help must answer at once, and the imports take seconds.
        from superconv_tune.spec.files import expanded  # noqa: PLC0415
        from superconv_tune.study.verification import Verification  # noqa: PLC0415

        verification = Verification(name, str(expanded(output)), storage, accept_changes=accept_changes)
        for repetition in verification.repetitions(seeds):
            done.append(repetition)
            then = f", was {repetition.recorded:.6g}" if repetition.recorded is not None else ""
            kind = "fresh seed" if repetition.is_fresh else "seed of the study"
            typer.echo(f"{kind} {repetition.seed}: {verification.metric} {repetition.test:.6g}{then}")
        found = verification.judge(done)
        typer.echo(
            f"fresh models now minus then: {found.difference:+.4g}, 99 % interval {found.low:+.4g} to {found.high:+.4g}"
        )
        typer.echo("AGREES" if found.agrees else "DISAGREES: the study's figures do not repeat on this machine.")
        verification.write(found)  # last, for the disk may be full
    raise typer.Exit(0 if found.agrees else 3)
