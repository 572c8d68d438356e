"""What all rooms share: codec, curves, errors, hyperparameters, secrets, and the metric as a yardstick.

Nothing here touches a file, a clock, a network or a framework; it imports the standard library and numpy only.
"""
