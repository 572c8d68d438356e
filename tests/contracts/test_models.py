from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from superconv_tune.core.errors import UserError
from superconv_tune.models.make import make
from superconv_tune.models.registry import MODELS

OUTPUTS = 7
Shape = tuple[int, ...]

IMAGES: list[Shape] = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 9, 13)]
SHAPES: dict[str, list[Shape]] = {
    "mlp": [(5,), (1, 40), *IMAGES],
    "lenet5": [(2, 4, 5), (1, 15, 16), *IMAGES],
    "cnn1d": [(1, 40), (3, 3)],
    "resnet9": IMAGES,
    "resnet_cifar": [(1, 4, 4), *IMAGES],
    "text_bytes": [(1,), (40,)],
}
READS_BYTES = {"text_bytes"}
OPTIONS: dict[str, list[dict[str, object]]] = {
    "mlp": [{"depth": 0}, {"depth": 4}],
    "resnet_cifar": [{"shortcut": "B"}, {"depth": 56}, {"depth": 110, "shortcut": "B"}],
}
CASES: list[tuple[str, Shape, dict[str, object]]] = [
    *((name, shape, {}) for name, shapes in SHAPES.items() for shape in shapes),
    *((name, (3, 32, 32), options) for name, choices in OPTIONS.items() for options in choices),
]


def seeded(
    name: str, shape: Shape, seed: int = 0, width: float = 0.25, options: Mapping[str, object] | None = None
) -> nn.Module:
    torch.manual_seed(seed)
    return make(name, shape, OUTPUTS, width, **(options or {}))


def examples(name: str, count: int, shape: Shape) -> Tensor:
    """Pixels and numbers for all models but those that read text."""
    return torch.randint(1, 256, (count, *shape)) if name in READS_BYTES else torch.randn(count, *shape)


def test_every_model_is_tried() -> None:
    assert set(SHAPES) == set(MODELS)


@pytest.mark.parametrize(("name", "shape", "options"), CASES)
def test_it_learns_with_every_parameter(name: str, shape: Shape, options: dict[str, object]) -> None:
    model = seeded(name, shape, options=options)
    inputs, targets = examples(name, 8, shape), torch.arange(8) % OUTPUTS
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(2):  # a block whose last norm starts at zero passes nothing back before the first step
        optimizer.zero_grad()
        outputs = model(inputs)
        torch.autograd.backward(cross_entropy(outputs, targets))
        optimizer.step()
    assert outputs.shape == (8, OUTPUTS)
    assert outputs.isfinite().all()
    silent = [path for path, value in model.named_parameters() if value.grad is None or not value.grad.any()]
    assert silent == []


@pytest.mark.parametrize("name", MODELS)
def test_weights_come_from_torch_s_global_generator(name: str) -> None:
    first, again, other = (seeded(name, SHAPES[name][0], seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize("name", MODELS)
def test_width_sizes_it(name: str) -> None:
    narrow, customary, wide = (
        sum(value.numel() for value in seeded(name, SHAPES[name][-1], width=width).parameters())
        for width in (0.01, 1, 2)
    )
    assert narrow < customary < wide


@pytest.mark.parametrize("name", MODELS)
def test_fresh_outputs_have_the_scale_of_one(name: str) -> None:
    """The loss of a fresh classifier is near that of a guess, on which stop rules and range tests rely."""
    shape = SHAPES[name][-1]
    model = seeded(name, shape, width=1)
    outputs = model(examples(name, 64, shape))
    guess = torch.tensor(OUTPUTS).log()
    assert cross_entropy(outputs, torch.arange(64) % OUTPUTS) < 2 * guess


@pytest.mark.parametrize("name", MODELS)
def test_what_cannot_be_made_is_said_all_at_once(name: str) -> None:
    with pytest.raises(UserError) as raised:
        make(name, SHAPES[name][0], 0, -1.0, wdith=3)
    said = "\n".join(raised.value.messages)
    assert len(raised.value.messages) == 3
    assert all(word in said for word in ("'wdith'", "width", "output", name))


@pytest.mark.parametrize("name", [name for name in MODELS if name != "mlp"])
def test_another_shape_is_refused_with_what_fits(name: str) -> None:
    shape = (1, 8, 8) if name in READS_BYTES else (10,)
    with pytest.raises(UserError, match=rf"{re.escape(str(shape))}.*Take mlp"):
        make(name, shape, OUTPUTS)
