"""What all rooms share: codec, curves, errors, hyperparameters, secrets, and the metric as a yardstick.

Also what concerns this process: how files are written, signals, output streams and threads. It imports the standard
library and numpy only, and touches no network.
"""
