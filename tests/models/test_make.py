from __future__ import annotations

import pytest

from superconv_tune.core.errors import UserError
from superconv_tune.models.make import make


def test_an_unknown_model_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"'resnet10' is unknown.*lenet5.*resnet9"):
        make("resnet10", (1, 8, 8), 10)


@pytest.mark.parametrize("shape", [(), (3, 0, 8)])
def test_inputs_without_values_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match="at least one value"):
        make("mlp", shape, 10)
