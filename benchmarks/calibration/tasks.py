"""The tasks of the calibration library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from superconv_tune.spec.spec import ExperimentSpec

QUESTIONS = Path(__file__).with_name("questions.py")
Args = Mapping[str, float | str]


@dataclass(frozen=True)
class LibraryTask:
    """One task with a known truth.

    Attributes:
        family: data and kind of model; tasks of one family are left out together where intervals are judged.
        factory: name of a function in `questions`.
        args: arguments of the factory.
        top_steps: approximate number of optimizer steps in the longest cycle that the search has time for.
        optimizer: name in the spec.
    """

    family: str
    factory: str
    args: Args
    top_steps: int
    optimizer: str = "sgd"

    @property
    def items(self) -> int:
        """Examples that are trained on."""
        return int(self.args["items"])

    @property
    def batch_size(self) -> int:
        """Fewer where there are few examples."""
        return 100 if self.items > 1000 else 50

    def spec(self, seed: int) -> ExperimentSpec:
        """What a user would write, with a fixed batch size and no target."""
        values = {
            "name": "library",
            "task": {"factory": f"{QUESTIONS}:{self.factory}", "args": dict(self.args)},
            "optimizer": self.optimizer,
            "space": {"batch_size": self.batch_size, "cycle_epochs": {"low": 0.5, "high": 3000.0, "log": True}},
            "baselines": "none",
            "seed": seed,
        }
        return ExperimentSpec.model_validate(values)


def _tasks() -> dict[str, LibraryTask]:
    made: dict[str, LibraryTask] = {}

    def add(family: str, factory: str, args: Args, top_steps: int, optimizer: str = "sgd") -> None:
        made[f"{family}-{sum(task.family == family for task in made.values()):02d}"] = LibraryTask(
            family, factory, {**args, "seed": len(made)}, top_steps, optimizer
        )

    mlp, bn, cnn = ({"model": model} for model in ("mlp", "bn", "cnn"))
    add("mnist1d-mlp", "mnist1d", {"items": 500, **mlp}, 500)
    add("mnist1d-mlp", "mnist1d", {"items": 1000, **mlp}, 1400)
    add("mnist1d-mlp", "mnist1d", {"items": 2000, "wrong": 0.15, **mlp}, 500)
    add("mnist1d-mlp", "mnist1d", {"items": 4000, **mlp}, 1400)
    add("mnist1d-mlp", "mnist1d", {"items": 4000, "wrong": 0.3, **mlp}, 1400)
    add("mnist1d-mlp", "mnist1d", {"items": 8000, **mlp}, 2500)
    add("mnist1d-mlp", "mnist1d", {"items": 4000, "corr_noise_scale": 0.1, **mlp}, 700, "adamw")
    add("mnist1d-mlp", "mnist1d", {"items": 8000, "wrong": 0.15, **mlp}, 1400, "adamw")
    add("mnist1d-bn", "mnist1d", {"items": 500, **bn}, 1400)
    add("mnist1d-bn", "mnist1d", {"items": 1000, "wrong": 0.15, **bn}, 500)
    add("mnist1d-bn", "mnist1d", {"items": 2000, **bn}, 1400)
    add("mnist1d-bn", "mnist1d", {"items": 4000, "wrong": 0.3, **bn}, 700)
    add("mnist1d-bn", "mnist1d", {"items": 8000, **bn}, 1400)
    add("mnist1d-bn", "mnist1d", {"items": 4000, **bn}, 700, "adamw")
    add("mnist1d-cnn", "mnist1d", {"items": 500, **cnn}, 500)
    add("mnist1d-cnn", "mnist1d", {"items": 1000, **cnn}, 1400)
    add("mnist1d-cnn", "mnist1d", {"items": 2000, "wrong": 0.15, **cnn}, 500)
    add("mnist1d-cnn", "mnist1d", {"items": 4000, **cnn}, 500)
    add("mnist1d-cnn", "mnist1d", {"items": 4000, "corr_noise_scale": 0.5, **cnn}, 700)
    add("mnist1d-cnn", "mnist1d", {"items": 4000, **cnn}, 500, "adamw")
    add("gaussians", "gaussians", {"items": 500}, 500)
    add("gaussians", "gaussians", {"items": 1000, "spread": 0.8}, 1400)
    add("gaussians", "gaussians", {"items": 2000, "spread": 1.4}, 500)
    add("gaussians", "gaussians", {"items": 4000}, 1400)
    add("gaussians", "gaussians", {"items": 8000, "wrong": 0.15}, 1400)
    add("gaussians", "gaussians", {"items": 4000, "classes": 3, "spread": 0.9}, 700)
    add("gaussians", "gaussians", {"items": 4000, "spread": 1.4}, 700, "adamw")
    add("teacher", "teacher", {"items": 500}, 500)
    add("teacher", "teacher", {"items": 1000, "noise": 0.0}, 1400)
    add("teacher", "teacher", {"items": 2000}, 500)
    add("teacher", "teacher", {"items": 4000, "noise": 0.0}, 1400)
    add("teacher", "teacher", {"items": 8000, "noise": 0.1}, 1400)
    add("teacher", "teacher", {"items": 4000, "noise": 1.0}, 700)
    add("teacher", "teacher", {"items": 4000, "noise": 0.1}, 700, "adamw")
    add("clusters", "clusters", {"items": 500}, 500)
    add("clusters", "clusters", {"items": 1000, "separation": 1.5}, 1400)
    add("clusters", "clusters", {"items": 2000, "wrong": 0.0}, 500)
    add("clusters", "clusters", {"items": 4000}, 1400)
    add("clusters", "clusters", {"items": 8000, "wrong": 0.0, "separation": 1.5}, 1400)
    add("clusters", "clusters", {"items": 4000, "wrong": 0.2}, 700)
    add("clusters", "clusters", {"items": 4000, "wrong": 0.0}, 700, "adamw")
    add("digits", "digits", {"items": 300}, 500)
    add("digits", "digits", {"items": 600}, 1400)
    add("digits", "digits", {"items": 600, "model": "conv"}, 700)
    add("digits", "digits", {"items": 300, "model": "conv"}, 500, "adamw")
    add("fashion", "fashion", {"items": 1000}, 500)
    add("fashion", "fashion", {"items": 2000, "wrong": 0.15}, 700)
    add("fashion", "fashion", {"items": 8000}, 1400)
    add("fashion", "fashion", {"items": 1000, "model": "conv"}, 500)
    add("fashion", "fashion", {"items": 4000, "model": "conv"}, 500)
    add("fashion", "fashion", {"items": 2000}, 700, "adamw")
    return made


TASKS: Mapping[str, LibraryTask] = _tasks()
