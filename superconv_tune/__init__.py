"""Can a target be reached within a budget of time? A search with range tests and one-cycles that ends in a verdict.

    import superconv_tune

    study = superconv_tune.search(frame, label="species", target=0.95, budget="10m")
    study.verdict, study.estimate, study.leaderboard(), study.predict(new)

The names below are all that other programs should import; they keep their meaning between versions (see CHANGELOG).
Each is imported when it is first used, because torch and pandas take seconds.
"""

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from superconv_tune.api.estimators import Classifier, Regressor
    from superconv_tune.api.search import search
    from superconv_tune.api.study import Study
    from superconv_tune.core.errors import UserError
    from superconv_tune.finder.notebook import find_lr
    from superconv_tune.kept.predictor import Predictor, load
    from superconv_tune.problems.problem import Metric
    from superconv_tune.problems.user import Loader, Task

__all__ = [
    "Classifier",
    "Loader",
    "Metric",
    "Predictor",
    "Regressor",
    "Study",
    "Task",
    "UserError",
    "find_lr",
    "load",
    "search",
]

_PLACES = {
    "Classifier": "superconv_tune.api.estimators",
    "Loader": "superconv_tune.problems.user",
    "Metric": "superconv_tune.problems.problem",
    "Predictor": "superconv_tune.kept.predictor",
    "Regressor": "superconv_tune.api.estimators",
    "Study": "superconv_tune.api.study",
    "Task": "superconv_tune.problems.user",
    "UserError": "superconv_tune.core.errors",
    "find_lr": "superconv_tune.finder.notebook",
    "load": "superconv_tune.kept.predictor",
    "search": "superconv_tune.api.search",
}


def __getattr__(name: str) -> Any:
    """A public name, imported now."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="IProgress not found")  # tqdm, in notebooks without ipywidgets
        found = getattr(import_module(_PLACES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
