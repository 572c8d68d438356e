"""The only room that knows Optuna."""
