"""Proposes hyperparameters and learns from outcomes, through Optuna, which only this room imports."""
