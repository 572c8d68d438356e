"""Every fault that a search has to survive, caused for real."""
