"""Convert the events of older journals to those of the current version.

Version 1 (superconv_tune 0.1.0) had one flat request: what a trial was for followed from fields that were left empty,
and a recipe was whatever had the same peak. It did not say which trials were promoted; those are `Sampled` here. Its
cycles, and early ones of version 2, could begin with a ramp that capped the peak. Trials that ran keep the peak that
they had; what they asked for is read without the ramp.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

VERSION = 2
KEY = "v"  # key of the version in an event's JSON; version 1 had none

Row = tuple[str, dict[str, Any]]  # kind of event and its JSON value


def stamped(value: dict[str, Any]) -> dict[str, Any]:
    """The JSON value of an event with the current version number added."""
    return {KEY: VERSION, **value}


class NewerVersionError(ValueError):
    """An event that a newer version of this program wrote."""


def upgraded(rows: Iterable[Row]) -> Iterator[Row]:
    """Convert all events of one study, from its first one on, to the current version.

    Raises:
        NewerVersionError: if a newer version wrote one of them.
    """
    story = _Story()
    for kind, value in rows:
        version = value.get(KEY, 1)
        if version > VERSION:
            raise NewerVersionError(f"is of version {version} of the journal, and this program reads up to {VERSION}")
        yield from story.read(kind, value) if version < VERSION else [(kind, story.seen(kind, value))]


def upgraded_request(value: dict[str, Any]) -> dict[str, Any]:
    """Convert a single request, such as a worker keeps on disk; its recipe, if it has one, gets the number 1."""
    return _Story().request(value) if "kind" in value else value


class _Story:
    """What must be remembered of earlier events to convert the next event of version 1."""

    def __init__(self) -> None:
        self._searched: dict[str, dict[str, Any]] = {}  # requests of search trials, by id
        self._peaks: dict[str, float | None] = {}  # peak learning rates that were used, by trial id
        self._recipes: list[dict[str, Any]] = []

    def read(self, kind: str, value: dict[str, Any]) -> list[Row]:
        """Convert one event of version 1; a `Frozen` event precedes it where it froze a recipe implicitly."""
        if kind == "Planned":
            return [(kind, {**value, "plan": _plan(value["plan"])})]
        if kind != "Requested":
            return [(kind, self.seen(kind, value))]
        request = value["request"]
        if request["kind"] == "search":
            self._searched[request["trial_id"]] = request
        known = len(self._recipes)
        upgraded = {**value, "request": self.request(request)}
        frozen: list[Row] = [("Frozen", {"at": value["at"], "recipe": recipe}) for recipe in self._recipes[known:]]
        return [*frozen, ("Requested", upgraded)]

    def seen(self, kind: str, value: dict[str, Any]) -> dict[str, Any]:
        """Return the event unchanged, after remembering what later events refer to."""
        if kind == "Observed":
            self._peaks[value["outcome"]["trial_id"]] = value["outcome"].get("max_lr")
        elif kind == "Frozen":
            self._recipes.append(value["recipe"])
        return value

    def request(self, old: Mapping[str, Any]) -> dict[str, Any]:
        """Convert a request of version 1."""
        kept = ("trial_id", "attempt", "params", "seed", "deadline", "rung", "precision")
        return {
            **{key: old[key] for key in kept if key in old},
            "schedule": _schedule(old),
            "purpose": self._purpose(old),
            "work": _ramps(old) if old["kind"] in ("range_test", "edge") else _cycle(old),
        }

    def _purpose(self, old: Mapping[str, Any]) -> dict[str, Any]:
        match old["kind"]:
            case "search":
                return self._search(old)
            case "confirm":
                return {"name": "confirm", "recipe": self._recipe(old)}
            case "scaling" | "baseline" as kind:
                return {"name": kind, "recipe": max(1, len(self._recipes))}
            case "edge":
                return {"name": "edge_test"}
        return {"name": "range_test"}

    def _search(self, old: Mapping[str, Any]) -> dict[str, Any]:
        proposal = old.get("proposal")
        if proposal is not None:
            return {
                "name": "sampled",
                "proposal": {"study": proposal[0], "number": proposal[1]},
                "pick_lr": old["pick_lr"],
            }
        if old["rung"] <= 0:
            return {"name": "probe", "rate": old["pick_lr"]}
        return {"name": "run_off", "parent": self._origin(old)}

    def _recipe(self, old: Mapping[str, Any]) -> int:
        """Number of the recipe that a confirmation trains; an unknown peak means a new recipe."""
        peaks = [recipe["max_lr"] for recipe in self._recipes]
        if old["pick_lr"] not in peaks:
            peaks.append(old["pick_lr"])
            recipe = {
                "number": len(peaks),
                "origin": self._origin(old),
                "params": old["params"],
                "max_lr": old["pick_lr"],
                "schedule": _schedule(old),
            }
            self._recipes.append(recipe)
        return peaks.index(old["pick_lr"]) + 1

    def _origin(self, old: Mapping[str, Any]) -> str:
        """Id of the search trial of its rung with these parameters and this peak; else that of the last recipe."""
        for apart in (("lr_multiplier",), ("lr_multiplier", "cycle_epochs")):
            wanted = _without(old["params"], apart)
            for trial_id, request in self._searched.items():
                is_same = request["rung"] == old["rung"] and _without(request["params"], apart) == wanted
                if is_same and self._peaks.get(trial_id) == old["pick_lr"] and request is not old:
                    return trial_id
        if self._recipes:
            return str(self._recipes[-1]["origin"])
        return next(iter(self._searched), "")


def _schedule(old: Mapping[str, Any]) -> dict[str, Any]:
    """The schedule with the named policy and default options, the only ones that version 1 had."""
    return {"policy": {"name": old["schedule"]}}


def _plan(old: Mapping[str, Any]) -> dict[str, Any]:
    """A plan of version 1, whose note was a sentence where the budget was too small and empty otherwise."""
    return {**_without(old, ("note",)), "is_too_small": bool(old.get("note"))}


def _ramps(old: Mapping[str, Any]) -> dict[str, Any]:
    low, high = old["ramp"]
    return {
        "name": "ramps",
        "low": low,
        "high": high,
        "steps": old.get("ramp_steps", 0),
        "rise": old.get("ramp_kind", "exponential"),
        "is_centred": old.get("ramp_centred", True),
        "is_checked": old.get("ramp_checked", False),
        "finds_edge": old["kind"] == "edge",
    }


def _cycle(old: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": "cycle",
        "max_lr": old["pick_lr"] * old["params"].get("lr_multiplier", 1.0),
        "data_share": old.get("data_share", 1.0),
        "reads_test": old["kind"] == "confirm",
    }


def _without(values: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in names}
