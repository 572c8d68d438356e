"""Writes verdict.json, report.html, recipe.yaml and tables, and what the console shows, from plain values."""
