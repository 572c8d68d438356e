"""Records trials and studies in MLflow, which only this room imports."""
