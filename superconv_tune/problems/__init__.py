"""Data, model, loss and metric of one problem, and the loading of a user's own factory."""
