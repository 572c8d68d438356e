"""How the hour is best divided over cycle lengths: a replay of recorded cycles."""
