"""What a study consists of: trials, recipes, plans, and the events from which every state is computed."""
