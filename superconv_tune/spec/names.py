"""The names that a spec may use; tests check that they match the tables that implement them.

The spec may not import the rooms that read data and build models, but must find a misspelled name before anything is
read. So the names are listed here, and the tables (``FORMATS``, ``MODELS``, …) are in their rooms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Format = Literal["digits", "idx", "npz", "npy", "mnist1d", "image_folder", "table", "hf"]
Model = Literal["mlp", "lenet5", "cnn1d", "resnet9", "resnet_cifar", "text_bytes"]
Augmentation = Literal["flip", "shift", "cutout", "colour"]
Direction = Literal["max", "min"]
Loss = Literal["auto", "cross_entropy", "balanced_cross_entropy", "bce", "mse", "l1", "huber"]

REGRESSION_LOSSES: frozenset[Loss] = frozenset({"mse", "l1", "huber"})  # for numbers; the others are for classes

# Whether a format reads files (True) or comes with a package (False).
READS_PATH: dict[Format, bool] = {
    "digits": False,
    "idx": True,
    "npz": True,
    "npy": True,
    "mnist1d": False,
    "image_folder": True,
    "table": True,
    "hf": True,
}

# Endings of the files that the formats read, in lower case. A folder is recognised as images by these; inside it every
# file that Pillow reads is used.
TABLE_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet", ".pq")
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".avif", ".ppm", ".pgm", ".jp2")

# Folders of a data set that is split already, in lower case, and the part that each one holds.
SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class MetricFacts:
    """Facts about a metric that are known without computing it.

    Attributes:
        direction: ``max`` if higher is better.
        low: least possible value; None if unbounded.
        high: greatest possible value; None if unbounded.
        item_level: whether the metric is the share of items that are right.
        regression: whether targets are numbers instead of classes.
    """

    direction: Direction
    low: float | None
    high: float | None
    item_level: bool = False
    regression: bool = False


METRIC_FACTS: dict[str, MetricFacts] = {
    "accuracy": MetricFacts("max", 0.0, 1.0, item_level=True),
    "top5_accuracy": MetricFacts("max", 0.0, 1.0, item_level=True),
    "balanced_accuracy": MetricFacts("max", 0.0, 1.0),
    "macro_f1": MetricFacts("max", 0.0, 1.0),
    "auroc": MetricFacts("max", 0.0, 1.0),
    "average_precision": MetricFacts("max", 0.0, 1.0),
    "rmse": MetricFacts("min", 0.0, None, regression=True),
    "mae": MetricFacts("min", 0.0, None, regression=True),
    "r2": MetricFacts("max", None, 1.0, regression=True),
}
