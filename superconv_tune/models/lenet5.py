"""LeNet-5 with modern layers."""

from __future__ import annotations

from torch import nn

from superconv_tune.models.layers import Shape, image_shape, initialise, scaled

UNPADDED_FROM = 16  # pixels; below, two 5x5 convolutions with pooling would leave nothing


def lenet5(input_shape: Shape, outputs: int, width: float) -> nn.Module:
    """Two 5x5 convolutions, each with 2x2 max-pooling, and one hidden layer: 20, 50 and 500 units.

    The layers and sizes are those of Caffe's MNIST example, after LeCun et al. 1998, with a ReLU after the convolutions
    too. It comes after the pooling: the result is the same for a quarter of the work.

    Raises:
        UserError: if the inputs are not images, or are smaller than 4 x 4.
    """
    channels, height, breadth = image_shape("lenet5", input_shape, smallest=4)
    first, second, hidden = scaled(20, width), scaled(50, width), scaled(500, width)
    padding = 0 if min(height, breadth) >= UNPADDED_FROM else 2
    rows, columns = (_pooled(_pooled(side, padding), padding) for side in (height, breadth))
    head = nn.Linear(hidden, outputs)
    model = nn.Sequential(
        nn.Conv2d(channels, first, 5, padding=padding),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(first, second, 5, padding=padding),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(second * rows * columns, hidden),
        nn.ReLU(),
        head,
    )
    return initialise(model, head)


def _pooled(side: int, padding: int) -> int:
    return (side + 2 * padding - 4) // 2
