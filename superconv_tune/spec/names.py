"""The names that a spec may use; tests hold them against the tables that give them their meaning.

The spec lies below the rooms that read data and build models, and must all the same find a misspelled name before
anything is read; so the names stand here, and the tables (``FORMATS``, ``MODELS``, …) in their rooms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Format = Literal["digits", "idx", "npz", "npy", "mnist1d", "image_folder", "table", "hf"]
Model = Literal["mlp", "lenet5", "cnn1d", "resnet9", "resnet_cifar", "text_bytes"]
Augmentation = Literal["flip", "shift", "cutout", "colour"]
Direction = Literal["max", "min"]
Loss = Literal["auto", "cross_entropy", "balanced_cross_entropy", "bce", "mse", "l1", "huber"]

REGRESSION_LOSSES: frozenset[Loss] = frozenset({"mse", "l1", "huber"})  # of numbers; the others are of classes

# A format's data lie in files (True), or come with a package (False).
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

# What files are called that the formats read, in small letters; for images, what a folder is recognised by: any that
# Pillow reads is taken.
TABLE_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet", ".pq")
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".avif", ".ppm", ".pgm", ".jp2")

# Folders of a data set that comes split, in small letters, and the part that each one is.
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
    """What is known of a metric without computing it.

    Attributes:
        direction: ``max`` if higher is better.
        low: least possible value; None if unbounded.
        high: greatest possible value; None if unbounded.
        item_level: the metric is a mean over items of right and wrong.
        regression: targets are numbers and not classes.
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
