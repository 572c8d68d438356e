"""Structures of tensors, as models and loaders of other libraries give them."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from superconv_tune.data.nested import IGNORED, count, joined, mapped, pair, tensors

Pair = namedtuple("Pair", "first second")


@dataclass(frozen=True)
class Frozen:
    logits: Tensor
    name: str = "frozen"


class ModelOutput(OrderedDict[str, Any]):
    """A dict that is also read by attribute, as the outputs of transformers are."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(name) from error


ONE, TWO = torch.arange(6.0).reshape(2, 3), torch.arange(3.0).reshape(1, 3)
STRUCTURES: dict[str, tuple[Any, Any, Callable[[Any], Tensor]]] = {
    "a tensor": (ONE, TWO, lambda found: found),
    "a tuple": ((ONE, ONE), (TWO, TWO), lambda found: found[1]),
    "a list": ([ONE], [TWO], lambda found: found[0]),
    "a named tuple": (Pair(ONE, ONE), Pair(TWO, TWO), lambda found: found.second),
    "a dict": ({"out": ONE, "aux": None}, {"out": TWO, "aux": None}, lambda found: found["out"]),
    "a model output": (ModelOutput(logits=ONE), ModelOutput(logits=TWO), lambda found: found.logits),
    "a namespace": (SimpleNamespace(logits=ONE), SimpleNamespace(logits=TWO), lambda found: found.logits),
    "a frozen dataclass": (Frozen(ONE), Frozen(TWO), lambda found: found.logits),
    "a tuple in a dict": ({"a": (ONE,)}, {"a": (TWO,)}, lambda found: found["a"][0]),
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_batches_of_a_structure_are_joined_to_the_same_structure(name: str) -> None:
    one, two, read = STRUCTURES[name]
    found = joined([one, two])
    assert type(found) is type(one)
    assert torch.equal(read(found), torch.cat([ONE, TWO]))
    assert count(found) == 3
    assert count(one) == 2  # what was joined is as it was


@pytest.mark.parametrize("name", STRUCTURES)
def test_every_tensor_of_a_structure_is_changed(name: str) -> None:
    one, _, read = STRUCTURES[name]
    found = mapped(lambda tensor: tensor + 1, one)
    assert torch.equal(read(found), ONE + 1)
    assert torch.equal(read(one), ONE)
    assert all(torch.equal(tensor, ONE + 1) for tensor in tensors(found))


def test_losses_without_an_axis_become_their_mean() -> None:
    """The outputs of transformers hold the loss too, if labels were given."""
    assert joined([{"loss": torch.tensor(1.0)}, {"loss": torch.tensor(3.0)}])["loss"] == 2.0


@pytest.mark.parametrize(("dtype", "more"), [(torch.float32, ()), (torch.int64, ()), (torch.float32, (5,))])
def test_sentences_of_other_lengths_are_padded_as_transformers_does(dtype: torch.dtype, more: tuple[int, ...]) -> None:
    """huggingface/transformers pull request 8336: with dynamic padding, evaluation could not join its batches."""
    short, long = torch.ones(2, 3, *more, dtype=dtype), torch.ones(1, 7, *more, dtype=dtype)
    found = joined([short, long])
    assert found.shape == (3, 7, *more)
    assert (found[:2, 3:] == IGNORED).all()
    assert (found[:2, :3] == 1).all()
    assert (found[2] == 1).all()


def test_attention_of_other_lengths_is_padded_along_every_axis() -> None:
    """huggingface/transformers issue 35599: only the second axis was looked at, which is that of the heads."""
    assert joined([torch.ones(2, 4, 3, 3), torch.ones(2, 4, 5, 5)]).shape == (4, 4, 5, 5)


@pytest.mark.parametrize("thing", [object(), "text", {1: "text"}])
def test_what_holds_no_tensor_has_no_items_and_stays(thing: Any) -> None:
    with pytest.raises(ValueError, match="no tensor"):
        count(thing)
    assert mapped(lambda tensor: tensor + 1, thing) == thing


@pytest.mark.parametrize("kind", [list, tuple])
def test_names_of_items_are_joined(kind: type) -> None:
    """As the default collation of torch gives them; the last batch is shorter."""
    found = joined([{"x": ONE, "name": kind(["a", "b"])}, {"x": TWO, "name": kind(["c"])}])
    assert found["name"] == kind(["a", "b", "c"])


def test_batches_of_other_forms_are_described() -> None:
    with pytest.raises(ValueError, match="one is a list of 2, and another a list of 1"):
        joined([[ONE, ONE], [TWO]])


def test_an_object_that_cannot_be_joined_is_named() -> None:
    with pytest.raises(ValueError, match="object holds no tensors"):
        joined([object(), object()])


@pytest.mark.parametrize("batch", [{"input_ids": ONE, "labels": TWO}, (ONE, TWO, TWO), [ONE], ONE])
def test_a_batch_that_is_no_pair_is_described(batch: Any) -> None:
    with pytest.raises(ValueError, match="pair") as caught:
        pair(batch)
    assert "dict" in str(caught.value) or "tuple" in str(caught.value)
