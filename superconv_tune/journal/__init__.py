"""Stores the events of every study in an append-only table, through SQLAlchemy."""
