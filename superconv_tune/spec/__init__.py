"""Turns YAML and command-line options into a frozen, checked `ExperimentSpec`, or into every error at once."""
