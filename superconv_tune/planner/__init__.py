"""What to run next under the deadline: pure functions of a study, which is computed from the journal's events."""
