"""``python -m superconv_tune.train recipe.yaml --epochs N``: the long run with what a search found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from superconv_tune.study.refusal import exit_on_user_error

EXAMPLES = """
Examples:

\b
  python -m superconv_tune.train runs/NAME/recipe.yaml --epochs 100
  python -m superconv_tune.train recipe.yaml --epochs 100 --max-lr 0.3 --output long/a
  (the same command again, after an interruption: goes on from the last epoch, with the same curve)
"""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command(epilog=EXAMPLES)
def train(
    recipe: Annotated[Path, typer.Argument(help="recipe.yaml of a study.")],
    epochs: Annotated[float, typer.Option(min=0.01, help="Length of the one cycle.")],
    max_lr: Annotated[float | None, typer.Option(help="Peak; the recipe's, moved to the length, otherwise.")] = None,
    output: Annotated[Path, typer.Option(help="Folder for checkpoint, weights and result.")] = Path("long_run"),
) -> None:
    """Train one long cycle with a recipe; writes checkpoint.pt, weights.pt and result.json."""
    # --help must answer at once, and the imports take seconds.
    from superconv_tune.study import long_run  # noqa: PLC0415

    with exit_on_user_error():
        run = long_run.open_run(recipe, epochs, max_lr, output)
        typer.echo(f"{run.plan.steps} steps, max_lr {run.plan.max_lr:.3g}")
        for done in long_run.follow(run):
            typer.echo(f"epoch {done.epochs} of {done.of:g}: loss {done.loss:.4f}")
    result = json.loads((output / long_run.RESULT).read_text(encoding="utf-8"))
    typer.echo(f"{result['metric']}: validation {result['validation']:.4g}, test {result['test']:.4g}; see {output}/")


if __name__ == "__main__":
    app()
