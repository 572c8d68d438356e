"""Data, model, loss and metric of one question, and the loading of a user's own factory."""
