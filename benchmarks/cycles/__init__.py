"""One-cycles of realistic tasks, trained as a search would train them, for replays of the planner."""
