"""This project's search against what a user would pick instead: same data, model, cores and minutes."""
