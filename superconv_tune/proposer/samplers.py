"""The known samplers. A new one is a function in `superconv_tune.proposer.optuna_samplers` and a line in `SAMPLERS`.

A spec is checked against this table before Optuna is imported, so a sampler is imported when it is first called.
"""

from __future__ import annotations

from superconv_tune.core.lazy import LazyFunction

MODULE = "superconv_tune.proposer.optuna_samplers"

# From the `Moment` of a draw to an Optuna sampler.
SAMPLERS: dict[str, LazyFunction] = {
    "auto": LazyFunction(f"{MODULE}:auto"),
    "tpe": LazyFunction(f"{MODULE}:tpe"),
    "gp": LazyFunction(f"{MODULE}:gp"),
    "qmc": LazyFunction(f"{MODULE}:qmc"),
    "random": LazyFunction(f"{MODULE}:random"),
}
