"""Learning rates: schedules, the range test and what can be read off it, the horizon rule."""
