"""A notebook, executed: a search on a DataFrame with Ray and MLflow, its leaderboard, a prediction; and once more."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
CELLS = [
    "import superconv_tune\nfrom sklearn.datasets import load_wine\nframe = load_wine(as_frame=True).frame",
    'study = superconv_tune.search(frame, label="target", target=0.7, budget="120s", workers=1, trials=2)',
    "study",
    "study.leaderboard()",
    "print((study.predict(frame.drop(columns='target')) == frame['target']).mean())",
    # A second Ray in the same process, and the panel without MLflow.
    'again = superconv_tune.search(frame, label="target", budget="90s", workers=1, trials=1, tracking_uri="none")',
    "print(superconv_tune.Study.open(again.name).estimate == again.estimate)",
]


def shown(cell: Any, kind: str = "text/plain") -> str:
    """Everything that a cell printed or displays."""
    parts = (output.get("text") or output.get("data", {}).get(kind, "") for output in cell.outputs)
    return "\n".join(parts)


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore")  # of the kernel's client
def test_a_search_in_a_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.fspath(ROOT))
    code, made = nbformat.v4.new_code_cell, nbformat.v4.new_notebook
    notebook = made(cells=[code(text) for text in CELLS])  # type: ignore[no-untyped-call]
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    cells = notebook.cells
    panels = [output for output in cells[1].outputs if "time left" in str(output.get("data"))]
    assert "Warning" not in shown(cells[1])
    assert len(panels) == 1, "the panel is one output, updated in place"
    assert "phase" in shown(cells[1])
    assert "DEMONSTRATED: Yes." in shown(cells[1])
    assert "<table>" in shown(cells[2], "text/html")
    assert "DEMONSTRATED: Yes." in shown(cells[2])
    assert "<table" in shown(cells[3], "text/html")
    assert float(shown(cells[4])) > 0.8
    assert "MEASURED: " in shown(cells[5])
    assert shown(cells[6]).strip() == "True"
