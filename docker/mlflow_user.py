"""Makes the MLflow account that searches use; an account that exists already is left as it is."""

from __future__ import annotations

import base64
import json
import os
import sys
import urllib.error
import urllib.request

LOGIN = base64.b64encode(f"admin:{os.environ['MLFLOW_ADMIN_PASSWORD']}".encode()).decode()
BODY = json.dumps({"username": "searcher", "password": os.environ["MLFLOW_SEARCHER_PASSWORD"]}).encode()
REQUEST = urllib.request.Request(
    f"{os.environ['MLFLOW_TRACKING_URI']}/api/2.0/mlflow/users/create",
    BODY,
    {"Authorization": f"Basic {LOGIN}", "Content-Type": "application/json"},
)

try:
    urllib.request.urlopen(REQUEST, timeout=60).close()
except urllib.error.HTTPError as error:
    answer = error.read().decode(errors="replace")
    if "RESOURCE_ALREADY_EXISTS" not in answer:
        sys.exit(f"MLflow made no account for searches: {error.code} {answer[:500]}")
