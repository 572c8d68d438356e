"""The learning-rate range test on its own: ramps, probes, and a peak for every cycle length; see `notebook.find_lr`."""
