"""The output folder of a study."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from superconv_tune.core.curve import Curve
from superconv_tune.core.files import write_atomically
from superconv_tune.reporting.findings import Findings
from superconv_tune.reporting.recipe_yaml import write_recipe
from superconv_tune.reporting.report import render_report
from superconv_tune.reporting.tables import curves_table, leaderboard_table, ramps_table, trials_table
from superconv_tune.reporting.verdict_json import verdict_json


def write_outputs(findings: Findings, folder: Path, again: str) -> list[Path]:
    """Write verdict.json, recipe.yaml (if a trial finished), the tables and report.html, each atomically.

    The trials are written twice: as parquet, which keeps types, and as csv, which a spreadsheet opens. The verdict
    comes first, so that it exists even if the disk is full before the report is written. The report names the command
    ``again``, which writes it again.

    Returns:
        The files written, in that order.

    Raises:
        OSError: if the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    verdict = folder / "verdict.json"
    recipe = folder / "recipe.yaml"
    leaderboard = folder / "leaderboard.csv"
    trials = folder / "trials.parquet"
    trials_csv = folder / "trials.csv"
    curves = folder / "curves.parquet"
    report = folder / "report.html"
    content = json.dumps(verdict_json(findings), indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(verdict, (content + "\n").encode())
    has_recipe = write_recipe(findings, recipe)
    table = trials_table(findings.study)
    write_atomically(leaderboard, _csv(leaderboard_table(findings.leaderboard)))
    write_atomically(trials, _parquet(table))
    write_atomically(trials_csv, _csv(table))
    write_atomically(curves, _parquet(curves_table(findings.study)))
    write_atomically(report, render_report(findings, folder, again).encode())
    return [verdict, *([recipe] if has_recipe else []), leaderboard, trials, trials_csv, curves, report]


def write_ramps(path: Path, ramps: Mapping[str, Sequence[Curve]]) -> None:
    """Write every step of the ramps of a range test as parquet, atomically; see `ramps_table`.

    Raises:
        OSError: if the file cannot be written.
    """
    write_atomically(path, _parquet(ramps_table(ramps)))


def _parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _csv(table: pa.Table) -> bytes:
    """Text in UTF-8 with a line of names; an empty field is a missing value."""
    sink = pa.BufferOutputStream()
    pc.write_csv(table, sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content
