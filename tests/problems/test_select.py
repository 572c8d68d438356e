"""One of several outputs of a model."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from superconv_tune.core.errors import UserError
from superconv_tune.problems.select import selecting


class Gives(nn.Module):
    def __init__(self, outputs: Any) -> None:
        super().__init__()
        self.fc = nn.Linear(2, 2)
        self.outputs = outputs

    def forward(self, x: Tensor) -> Any:
        return self.outputs(self.fc(x))


@pytest.mark.parametrize(
    ("outputs", "select"),
    [
        (lambda y: {"logits": y, "loss": 0.0}, "logits"),
        (lambda y: SimpleNamespace(logits=y), "logits"),
        (lambda y: (0.0, y), 1),
        (lambda y: (0.0, y), "-1"),
        (lambda y: [y], "0"),
        (lambda y: torch.return_types.max((y, y)), "values"),
        (lambda y: y, "logits"),  # in evaluation some models give one tensor only
    ],
)
def test_the_one_is_taken_and_the_weights_keep_their_names(outputs: Any, select: str | int) -> None:
    model = selecting(lambda: Gives(outputs), select)()
    x = torch.randn(3, 2)
    assert torch.equal(model(x), model.fc(x))  # type: ignore[operator]
    assert set(model.state_dict()) == {"fc.weight", "fc.bias"}


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        (lambda y: {"out": y}, "dict with out, but not 'logits'"),
        (lambda y: SimpleNamespace(out=y), "SimpleNamespace with out"),
        (lambda y: (y, y), "tuple with 0, 1"),
    ],
)
def test_what_there_is_is_named(outputs: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        selecting(lambda: Gives(outputs), "logits")()(torch.randn(3, 2))


def test_without_a_name_the_function_is_the_user_s_own() -> None:
    assert selecting(Gives, None) is Gives  # type: ignore[arg-type, comparison-overlap]
