"""The data of a study as MLflow shows them: a name, a fingerprint, where they are, and how many; no copy of them."""

from __future__ import annotations

import json
from pathlib import Path

from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

from superconv_tune.tracking.handle import DataSet

DIGEST_CHARS = 12  # as reports show it, and fewer than MLflow's limit of 36; the whole fingerprint is a tag
NAME_CHARS = 500


def data_input(data: DataSet) -> DatasetInput:
    """The data as an input of a run."""
    source = {"uri": Path(data.source).absolute().as_uri()} if data.is_path else {"tags": {"made_by": data.source}}
    dataset = Dataset(
        name=data.name[:NAME_CHARS],
        digest=data.fingerprint[:DIGEST_CHARS],
        source_type="local" if data.is_path else "code",
        source=json.dumps(source),
        schema=json.dumps({"mlflow_tensorspec": {"features": _tensor(data.shape)}}),
        profile=json.dumps({"num_rows": sum(data.items.values()), **data.items}),
    )
    tags = {
        MLFLOW_DATASET_CONTEXT: ", ".join(part for part, items in data.items.items() if items) or "training",
        "fingerprint": data.fingerprint,
    }
    return DatasetInput(dataset, [InputTag(key, value) for key, value in tags.items()])


def _tensor(shape: tuple[int, ...]) -> str:
    """The shape of a batch, as MLflow writes the schema of arrays."""
    return json.dumps([{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, *shape]}}])
