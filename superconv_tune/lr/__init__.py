"""Learning rates: schedules, the analysis of range tests, the grid of probes, and the horizon rule."""
