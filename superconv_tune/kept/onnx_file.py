"""A kept model as an ONNX file, which other programs run without this one."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from superconv_tune.core.codec import encode
from superconv_tune.core.errors import UserError
from superconv_tune.data.normalise import normalised
from superconv_tune.kept.answers import in_units, probabilities, together
from superconv_tune.kept.description import Description
from superconv_tune.kept.predictor import Network, Predictor
from superconv_tune.problems.source import first_line

try:  # an extra: only this file needs it
    import onnxscript
except ImportError:
    onnxscript = None


def write_onnx(predictor: Predictor, path: Path) -> None:
    """Write the model, with normalisation and probabilities inside; its metadata say how to read items for it.

    It has one input, ``inputs`` [n, ...], and one output: ``probabilities`` [n, classes], or ``predictions`` in the
    units of the targets.

    Raises:
        UserError: if the packages for it are missing, or the model cannot be written.
    """
    if onnxscript is None:
        raise UserError("--onnx needs the package onnxscript. Install it: pip install 'superconv-tune[onnx]'.")
    known = predictor.description
    modules = [model.module for model in predictor.models if isinstance(model, Network)]
    if len(modules) < len(predictor.models) or known.answer.kind == "raw" or not known.input_type:
        raise UserError("--onnx: only networks that predict classes or numbers from arrays can be written.")
    whole = _Whole([copy.deepcopy(module).cpu() for module in modules], known).eval()
    example = torch.zeros((2, *known.input_shape), dtype=getattr(torch, known.input_type))
    try:
        program = torch.onnx.export(
            whole,
            (example,),
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
            input_names=["inputs"],
            output_names=["probabilities" if known.answer.kind == "classes" else "predictions"],
            verbose=False,
        )
        assert program is not None
        program.model.metadata_props.update(_metadata(known))
        program.save(str(path))
    except Exception as error:
        raise UserError(f"--onnx: the model cannot be written to {path}: {first_line(error)}.") from error


class _Whole(nn.Module):
    """Networks with everything between the items as they were read and the answer."""

    def __init__(self, networks: Sequence[nn.Module], description: Description) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self._description = description
        self.mean: Tensor | None
        self.inverse_std: Tensor | None
        scale = description.input_normaliser
        mean, inverse_std = scale.on(torch.device("cpu")) if scale else (None, None)
        self.register_buffer("mean", mean)
        self.register_buffer("inverse_std", inverse_std)

    def forward(self, inputs: Tensor) -> Tensor:
        answer, as_given = self._description.answer, self._description.keeps_input_type
        if self.mean is not None and self.inverse_std is not None and not as_given:
            inputs = normalised(inputs, self.mean, self.inverse_std)
        elif not as_given:
            inputs = inputs.float()
        if self._description.handling.is_double and inputs.dtype == torch.float32:
            inputs = inputs.double()
        joint = together([network(inputs) for network in self.networks], answer)
        found = probabilities(joint, answer) if answer.kind == "classes" else in_units(joint, answer)
        return found.float()


def _metadata(known: Description) -> dict[str, str]:
    """What whoever calls the file has to know."""
    return {
        "inputs": f"{known.input_type} {['n', *known.input_shape]}, read as `reading` says; normalisation is inside",
        "reading": json.dumps(encode(known.reading)),
        "labels": json.dumps(list(known.answer.labels)),
        "metric": known.metric,
    }
