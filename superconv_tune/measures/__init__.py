"""Metrics and losses by name: what is asked for, and what is trained on."""
