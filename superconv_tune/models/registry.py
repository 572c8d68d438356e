"""The built-in models by name; a new one is a function in a file of its own and a line here.

A spec is checked against this table before torch is imported, so a model's file is imported when one is made.
"""

from __future__ import annotations

from superconv_tune.core.lazy import LazyFunction

BACKBONE = "backbone"  # in place of the names of modules: all of a network but its head

# Shape of one input, number of outputs, width, options by name.
MODELS: dict[str, LazyFunction] = {
    "mlp": LazyFunction("superconv_tune.models.mlp:mlp"),
    "lenet5": LazyFunction("superconv_tune.models.lenet5:lenet5"),
    "cnn1d": LazyFunction("superconv_tune.models.cnn1d:cnn1d"),
    "resnet9": LazyFunction("superconv_tune.models.resnet9:resnet9"),
    "resnet_cifar": LazyFunction("superconv_tune.models.resnet_cifar:resnet_cifar"),
    "text_bytes": LazyFunction("superconv_tune.models.text_bytes:text_bytes"),
}

# Families that are fitted by scikit-learn and not trained in cycles (`superconv_tune.problems.fitted`).
FITTED = ("trees", "linear")
