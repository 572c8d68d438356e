"""``superconv-tune train recipe.yaml --epochs N``: the long run with the recipe of a search."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from superconv_tune.commands.options import finite
from superconv_tune.core.errors import UserError
from superconv_tune.study.refusal import exit_on_user_error

EXAMPLES = """
Examples:

\b
  superconv-tune train runs/NAME/recipe.yaml --epochs 100
  superconv-tune train recipe.yaml --epochs 100 --max-lr 0.3 --output long/a
  superconv-tune train recipe.yaml --epochs 100 --tracking-uri none     without MLflow
  superconv-tune train recipe.yaml --epochs 100 --workers 4             together, on four GPUs of this machine
  (the same command again, after an interruption, resumes after the last saved epoch, with the same curve)

\b
Exit codes: 0 trained to the end; 1 it diverged or failed, and why; 2 the input is wrong and nothing was started;
130 interrupted, and the same command resumes it.
"""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command(epilog=EXAMPLES)
def train(  # noqa: PLR0913 - a command line
    recipe: Annotated[Path, typer.Argument(help="recipe.yaml of a study.")],
    epochs: Annotated[float, typer.Option(min=0.01, callback=finite, help="Length of the cycle.")],
    max_lr: Annotated[
        float | None,
        typer.Option(
            min=1e-12, callback=finite, help="Peak learning rate. Default: the recipe's, adjusted to the length."
        ),
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder for checkpoint, weights and result.")] = Path("long_run"),
    tracking_uri: Annotated[
        str | None,
        typer.Option(help="Address of MLflow, or none. Default: the file of the recipe's study (runs/mlflow.db)."),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, help="Processes that train together, each on its share of every batch and its GPU.")
    ] = 1,
    address: Annotated[
        str | None, typer.Option(help="Ray cluster for --workers: auto or host:port. Default: this machine.")
    ] = None,
) -> None:
    """Train one long cycle with a recipe, and write checkpoint.pt, weights.pt, result.json and model/.

    The recipe of a model that is fitted in one go, such as trees, is fitted again: result.json and model/.
    """
    with exit_on_user_error(f"interrupted; the same command resumes after the last epoch saved in {output}/."):
        status = _train(recipe, epochs, max_lr, output, tracking_uri, workers, address)
    raise typer.Exit(0 if status == "finished" else 1)


def _train(  # noqa: PLR0913 - a command line
    recipe: Path,
    epochs: float,
    max_lr: float | None,
    output: Path,
    tracking_uri: str | None,
    workers: int,
    address: str | None,
) -> str:
    """Train, and return the status with which the run ended."""
    # --help must answer at once, and the imports take seconds.
    import time  # noqa: PLC0415

    from rich.console import Console  # noqa: PLC0415

    from superconv_tune.reporting.long_run_view import LongRunView  # noqa: PLC0415
    from superconv_tune.spec.files import expanded  # noqa: PLC0415
    from superconv_tune.spec.recipe_file import read_recipe  # noqa: PLC0415
    from superconv_tune.study import long_run  # noqa: PLC0415
    from superconv_tune.study.long_run_record import LongRunRecord  # noqa: PLC0415
    from superconv_tune.study.trainer import trainer_of  # noqa: PLC0415

    recipe, output = expanded(recipe), expanded(output)
    found = read_recipe(recipe)
    if found.fit is not None:
        from superconv_tune.study.fit_again import ONE_GO, fit_again  # noqa: PLC0415 - scikit-learn, where it is needed

        if workers > 1:
            raise UserError("--workers: the model of this recipe is fitted in one go, by one process. Leave it out.")
        typer.echo(ONE_GO)
        result = fit_again(found, output)
        return _told(long_run.summary(output, result), result.status)
    with trainer_of(workers, address) as trainer:
        run = long_run.open_run(recipe, epochs, max_lr, output)
        view = LongRunView(Console(soft_wrap=True, highlight=False), time.time, run.steps, run.steps_per_epoch)
        view.say(f"{run.steps} steps, max_lr {run.max_lr:.3g}")
        for notice in run.notices:
            view.say(notice)
        result = long_run.train(run, LongRunRecord(recipe, tracking_uri), view, trainer)
    return _told(long_run.summary(output, result), result.status)


def _told(words: str, status: str) -> str:
    """Say how the run ended; returns its status."""
    typer.echo(words, err=status != "finished")
    return status
