"""Functions that a table names by address, so that the table can be read without importing what they need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class LazyFunction:
    """A function whose module is imported when it is first needed.

    The names in a table must be known to check a spec or print ``--help``, which has to be fast; pandas, torch and
    Optuna are slow to import and need not all be installed.

    Attributes:
        address: ``module:function``.
    """

    address: str

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        return self.function(*args, **kwargs)

    @property
    def function(self) -> Callable[..., Any]:
        """The function itself."""
        module, _, name = self.address.partition(":")
        found: Callable[..., Any] = getattr(import_module(module), name)
        return found
