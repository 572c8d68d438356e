"""The calibration library: searches with a known truth, and the verdicts that they would have had."""
