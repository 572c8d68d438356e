"""The model for a shape: it exists, it can be made, and it is small enough to be tried."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from superconv_tune.models.default import default_model
from superconv_tune.models.make import make


@pytest.mark.parametrize(
    ("shape", "name"),
    [
        ((12,), "mlp"),
        ((1,), "mlp"),
        ((1, 40), "cnn1d"),
        ((6, 128), "cnn1d"),
        ((1, 2), "mlp"),
        ((1, 8, 8), "lenet5"),
        ((1, 28, 28), "lenet5"),
        ((1, 64, 64), "resnet9"),
        ((3, 32, 32), "resnet9"),
        ((3, 224, 224), "resnet9"),
        ((3, 6, 6), "lenet5"),
        ((3, 2, 9), "mlp"),
        ((3, 4, 16, 16), "mlp"),
    ],
)
def test_the_model_for_a_shape(shape: tuple[int, ...], name: str) -> None:
    assert default_model(shape, "classification")[0] == name
    assert default_model(shape, "regression") == default_model(shape, "classification")


def test_larger_images_get_fewer_channels() -> None:
    assert default_model((3, 32, 32), "classification")[1] == 0.25
    assert default_model((3, 60, 60), "classification")[1] == 0.125


def test_texts_are_read_byte_by_byte() -> None:
    assert default_model((200,), "text") == ("text_bytes", None)


@settings(max_examples=25)  # the larger ones take a second each
@given(shape=st.lists(st.integers(1, 40), min_size=1, max_size=4).map(tuple), outputs=st.integers(1, 20))
def test_it_can_always_be_made(shape: tuple[int, ...], outputs: int) -> None:
    name, width = default_model(shape, "classification")
    model = make(name, shape, outputs, **({} if width is None else {"width": width}))
    with torch.inference_mode():
        assert model.eval()(torch.zeros(2, *shape)).shape == (2, outputs)
