"""``superconv-tune predict runs/NAME DATA``: what the model of a study says of new items."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from superconv_tune.core.errors import UserError
from superconv_tune.study.refusal import exit_on_user_error

EXAMPLES = """
Examples:

\b
  superconv-tune predict runs/NAME new_photos/
  superconv-tune predict runs/NAME/model new.csv --output predictions.csv
  superconv-tune predict runs/NAME new.csv --ensemble       all kept models together
  superconv-tune predict runs/NAME --onnx model.onnx        for other programs

\b
A model of your own code runs that code, whose text is kept beside its weights.
Exit codes: 0 done; 2 the input is wrong; 130 interrupted; 1 a failure of the program itself.
"""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command(epilog=EXAMPLES)
def predict(
    model: Annotated[Path, typer.Argument(help="Folder of a study, of a long run, or of a model.")],
    data: Annotated[
        Path | None, typer.Argument(help="Folder of images, image, table or array, as the model was trained on.")
    ] = None,
    output: Annotated[Path, typer.Option(help="File for the predictions.")] = Path("predictions.csv"),
    ensemble: Annotated[  # noqa: FBT002
        bool, typer.Option("--ensemble", help="All kept models together, at as many times the cost.")
    ] = False,
    onnx: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the model in ONNX format, normalisation included.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="Such as cpu or cuda:1. Default: the first GPU, or the CPU.")
    ] = None,
) -> None:
    """Predict new items with the model of a study: a line per item with its prediction and all probabilities."""
    with exit_on_user_error():
        if data is None and onnx is None:
            raise UserError("Name the data to predict, or a file for --onnx.")
        # --help must answer at once, and torch takes seconds to import.
        from superconv_tune.kept.predictor import load  # noqa: PLC0415
        from superconv_tune.spec.files import expanded  # noqa: PLC0415
        from superconv_tune.study.predictions import write_predictions  # noqa: PLC0415

        predictor = load(expanded(model), ensemble=ensemble, device=device)
        if onnx is not None:
            from superconv_tune.kept.onnx_file import write_onnx  # noqa: PLC0415 - an extra

            write_onnx(predictor, expanded(onnx))
            typer.echo(f"Wrote {onnx}. How to call it is in its metadata, under `inputs`.")
        if data is not None:
            found = write_predictions(predictor, expanded(data), expanded(output))
            typer.echo(f"Wrote {len(found.items):,} predictions to {output}.")
            for name, reason in found.left_out.items():
                typer.echo(f"left out: {name}, {reason}", err=True)
