"""The border: YAML and command-line options become a frozen, checked ExperimentSpec."""
