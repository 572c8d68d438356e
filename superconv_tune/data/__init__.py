"""Formats, splits and batches."""
