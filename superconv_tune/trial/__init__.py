"""One trial as a plain function that knows neither Ray nor MLflow."""
