"""How a user's model is run, as far as a rehearsal showed that it may be."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from superconv_tune.record.trial import Precision
from superconv_tune.training.loop import Runtime, has_images
from superconv_tune.training.team import Team


@dataclass(frozen=True)
class Handling:
    """What a rehearsal found; the defaults change nothing that the user could notice.

    Attributes:
        channels_last: whether images and convolutions are laid out [n, h, w, c] in memory, which is faster.
        as_given: whether inputs keep their number format; otherwise they become float32, and bytes are normalised.
        is_double: whether inputs and numbers to predict become float64, as the model's weights are.
        evaluates_with_grad: whether the model needs gradients in evaluation, too.
        untrained: metric of the untrained model on the validation part; None where a constant guess has a value.
    """

    channels_last: bool = False
    as_given: bool = False
    is_double: bool = False
    evaluates_with_grad: bool = False
    untrained: float | None = None

    def runtime(
        self, model: nn.Module, device: torch.device, precision: Precision, team: Team | None = None
    ) -> Runtime:
        """How a model is trained and evaluated on a device."""
        return Runtime(
            device,
            precision,
            channels_last=self.channels_last and has_images(model),
            evaluates_with_grad=self.evaluates_with_grad,
            is_double=self.is_double,
            team=team,
        )


PLAIN = Handling()
