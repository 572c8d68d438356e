"""The network of a user's factory as the spec wants it: its head, what is frozen, the size and scale of its inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from torch import nn

from superconv_tune.core.errors import UserError
from superconv_tune.data.normalise import Normaliser
from superconv_tune.models.pretrained import (
    Anatomy,
    Scales,
    decayed_scales,
    freeze,
    fresh_head,
    named_scales,
    own_scale,
    resized,
    with_head,
    without_head,
)
from superconv_tune.problems.optimizers import NO_SCALES
from superconv_tune.problems.select import selecting
from superconv_tune.problems.source import Source, call
from superconv_tune.spec.spec import ModelSpec, PixelScale

IMAGENET = PixelScale(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))  # of its pixels, from 0 to 1
MOST_LEVELS = 255.0  # of a pixel that is stored as a byte
ON_TOP = "head"  # name of a head that is added to a network


@dataclass(frozen=True)
class Network:
    """How to make the network of a factory.

    Attributes:
        source: the factory.
        wanted: what the spec says of it.
        select: which of several outputs is the one; None to take what it gives.
        anatomy: where the network ends; None before that was found out, and where nobody asks.
        outputs: number of outputs that the data need; None if it is not known.
    """

    source: Source
    wanted: ModelSpec
    select: str | int | None = None
    anatomy: Anatomy | None = None
    outputs: int | None = None

    @property
    def needs_anatomy(self) -> bool:
        """Whether the spec says anything that depends on where the network ends."""
        wanted = self.wanted
        return wanted.head != "own" or wanted.has_features or wanted.layer_decay is not None

    def given(self) -> nn.Module:
        """The network as the factory gives it, with one output, for images of any size."""
        model = selecting(partial(call, self.source, self.wanted.args), self.select)()
        if self.wanted.size is None or not isinstance(model, nn.Module):  # the rehearsal reports what is no module
            return model
        return resized(model, self.wanted.size)

    def whole(self) -> nn.Module:
        """The network that is trained, with its head and its frozen parts."""
        model = self.given()
        if self.wanted.head != "own":
            assert self.anatomy is not None
            model = with_head(model, self.anatomy, self.head_alone(self.anatomy.features))
        return freeze(model, self.wanted.freeze, self.head_name) if self.wanted.freeze else model

    def backbone(self) -> nn.Module:
        """The network without its head, frozen."""
        assert self.anatomy is not None
        return without_head(self.given(), self.anatomy).eval().requires_grad_(requires_grad=False)

    def head_alone(self, features: int) -> nn.Module:
        """The head, with fresh weights; the network's own one is as the factory gives it.

        Raises:
            UserError: if there is none, or the number of outputs is not known.
        """
        assert self.anatomy is not None
        if self.wanted.head == "own":
            if not self.anatomy.head:
                raise UserError(
                    "model.freeze: the network has no last linear layer that could be trained. Add `head: linear`, or "
                    "`head: mlp`."
                )
            return self.given().get_submodule(self.anatomy.head)
        if not features:
            raise UserError(
                "model.head: no linear layer gives the network's outputs, and they are not one row of numbers per item "
                "either. Name the right one with `select`, or give the network its head in the factory."
            )
        if self.outputs is None:
            raise UserError(
                f"model.head: {self.wanted.head} needs to know how many outputs your loss takes. Give the network its "
                f"head in the factory, and leave `head` out."
            )
        return fresh_head(self.wanted.head, features, self.outputs)

    @property
    def head_name(self) -> str:
        """Name of the head in the whole network; empty if it has none."""
        if self.anatomy is None:
            return ""
        return self.anatomy.head or (ON_TOP if self.wanted.head != "own" else "")

    @property
    def scales(self) -> Callable[[nn.Module], Scales]:
        """The factors on the learning rate of the whole network's parameters."""
        return partial(_scales, self.wanted, self.head_name)


def _scales(wanted: ModelSpec, head: str, model: nn.Module) -> Scales:
    if wanted.layer_decay is not None:
        return decayed_scales(model, wanted.layer_decay, head)
    return named_scales(model, wanted.lr_scale) if wanted.lr_scale else NO_SCALES


def pixel_normaliser(wanted: ModelSpec, model: nn.Module, inputs: Any) -> Normaliser:
    """What the network's images are normalised by; grey images become the same in each of its channels.

    Raises:
        UserError: if the inputs are not images with such channels, or the network does not say what it was trained on.
    """
    scale = IMAGENET if wanted.normalise.of == "imagenet" else wanted.normalise
    mean, std = own_scale(model) if scale.of == "model" else (scale.mean, scale.std)
    if inputs.ndim != 4 or inputs.shape[1] not in (1, len(mean)):
        raise UserError(
            f"model.normalise: {len(mean)} channels of images are normalised, but one input has the shape "
            f"{list(inputs.shape[1:])}. Leave it out, or give as many."
        )
    levels = MOST_LEVELS if inputs.dtype == np.uint8 else 1.0
    return Normaliser(tuple(levels * each for each in mean), tuple(levels * each for each in std))
