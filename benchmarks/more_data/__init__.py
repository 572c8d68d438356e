"""What more training data gain, against what the verdict says of it."""
