"""Real servers on this machine, for benchmarks and tests: a Ray cluster, PostgreSQL, MLflow."""
