-- Run once by the database's image, on an empty volume: MLflow's tables are apart from journal and Optuna study.
CREATE DATABASE mlflow;
