"""What a study consists of: trials, recipes, plans, and the events that every state is a fold over."""
