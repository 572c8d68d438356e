"""A small net for text, byte by byte."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from superconv_tune.core.errors import UserError
from superconv_tune.models.layers import Shape, initialise, scaled

BYTES = 256
PADDING = 0  # no text has this byte
UNITS = 64
KERNEL = 5  # bytes, about a word


def text_bytes(input_shape: Shape, outputs: int, width: float) -> nn.Module:
    """An embedding of every byte, one convolution over five of them, and the mean and the maximum over the text.

    Inputs are the bytes of UTF-8 as numbers from 0 to 255, [n, length], with zeros after the end of a text: they are
    skipped, so that the outputs do not depend on how far a text was padded. It needs no vocabulary and no download, and
    sees only five bytes of a word at a time.

    Raises:
        UserError: if the inputs are not rows of bytes.
    """
    if len(input_shape) != 1:
        raise UserError(
            f"model text_bytes takes texts as rows of bytes of shape (length,), but one input has the shape "
            f"{input_shape}. Take mlp for any shape."
        )
    units = scaled(UNITS, width)
    head = nn.Linear(2 * units, outputs)
    return initialise(_TextBytes(units, head), head)


class _TextBytes(nn.Module):
    def __init__(self, units: int, head: nn.Linear) -> None:
        super().__init__()
        self.embedding = nn.Embedding(BYTES, units, padding_idx=PADDING)
        self.convolution = nn.Conv1d(units, units, KERNEL, padding=KERNEL // 2)
        self.head = head

    def forward(self, inputs: Tensor) -> Tensor:
        text = inputs.long()
        is_text = (text != PADDING).unsqueeze(1)
        features = torch.relu(self.convolution(self.embedding(text).transpose(1, 2))) * is_text
        mean = features.sum(dim=2) / is_text.sum(dim=2).clamp(min=1)
        outputs: Tensor = self.head(torch.cat([mean, features.amax(dim=2)], dim=1))
        return outputs
