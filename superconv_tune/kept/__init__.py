"""Trained models on disk: kept by a trial, published by a study, loaded to predict; needs no Ray, MLflow or Optuna."""
