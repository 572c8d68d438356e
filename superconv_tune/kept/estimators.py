"""Estimators of scikit-learn as bytes and back, in the format of skops, which runs no code when it is read."""

from __future__ import annotations

from typing import Any

import skops.io

# What trees of scikit-learn are made of besides the types that skops trusts by itself. None of these runs other code
# than its own; a whole package would be too much, because there are functions in each that run what they are given.
KNOWN = frozenset(
    {
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.tree._tree.Tree",
        "sklearn.utils.validation.check_array",  # of columns that hold categories
        "functools.partial",  # of the function before; skops looks at what is inside
    }
)


def packed_estimators(fitted: list[Any]) -> bytes:
    """Fitted estimators.

    Raises:
        ValueError: if they are made of types that are not known to be safe.
    """
    content: bytes = skops.io.dumps(fitted)
    _known_types(content)
    return content


def estimators_in(content: bytes) -> list[Any]:
    """The estimators that `packed_estimators` wrote.

    Raises:
        ValueError: if they are made of types that are not known to be safe.
    """
    found: list[Any] = skops.io.loads(content, trusted=_known_types(content))
    return found


def _known_types(content: bytes) -> list[str]:
    """The types that it is made of besides those that skops trusts."""
    types: list[str] = skops.io.get_untrusted_types(data=content)
    strange = [name for name in types if name not in KNOWN]
    if strange:
        raise ValueError(f"it is made of {', '.join(strange)}, which is not known to be safe")
    return types
