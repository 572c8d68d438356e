"""What to run next under the deadline; pure, a fold over the journal's events."""
