"""This project's search against what a careful person would do instead: same data, model, cores and minutes."""
