"""EfficientNet-Lite0 with its weights, where the packages are installed."""

from __future__ import annotations

import pytest
import torch

from superconv_tune.models.pretrained import anatomy, decayed_scales

pytestmark = pytest.mark.slow


def test_its_head_is_found_and_its_blocks_are_those_of_the_paper() -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    lite = pytest.importorskip("superconv_tune.models.efficientnet_lite")
    network = lite.efficientnet_lite0()
    found = anatomy(network, torch.randn(2, 3, 64, 64))
    assert (found.head, found.features) == ("_fc", 1280)
    scales = decayed_scales(network, 0.5, found.head)
    assert scales["_fc.weight"] == ("_fc", 1.0)
    assert scales["_conv_head.weight"][1] == scales["_bn1.weight"][1] == 0.5
    assert scales["_blocks.15._project_conv.weight"] == ("_blocks.15", 0.25)
    assert scales["_conv_stem.weight"][1] == scales["_bn0.bias"][1] == 0.5**18


def test_the_weights_are_those_of_imagenet() -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    lite = pytest.importorskip("superconv_tune.models.efficientnet_lite")
    norm = lite.efficientnet_lite0()._bn1
    assert int(norm.num_batches_tracked) >= 0
    assert float(norm.running_var.std()) > 0.0  # a fresh norm has ones
