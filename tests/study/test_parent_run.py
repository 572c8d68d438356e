from __future__ import annotations

import pytest

from superconv_tune.core.secrets import Address
from superconv_tune.study.parent_run import where_curves_are
from superconv_tune.tracking.handle import StudyHandle

PAGE = "#/experiments/7/runs/ab?workflowType=machine_learning"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (
            "sqlite:////a b/mlflow.db",
            f"mlflow ui --backend-store-uri 'sqlite:////a b/mlflow.db', then http://127.0.0.1:5000/{PAGE}",
        ),
        ("http://me:secret@host:5000/mlflow/", f"http://me:***@host:5000/mlflow/{PAGE}"),
        ("postgresql://me:secret@host/mlflow", "postgresql://me:***@host/mlflow"),
    ],
)
def test_the_page_of_the_search_is_named(address: str, words: str) -> None:
    assert where_curves_are(StudyHandle(Address(address), "7", "ab")) == words


def test_nothing_recorded_is_said() -> None:
    assert where_curves_are(None) == "not recorded (--tracking-uri none)"
