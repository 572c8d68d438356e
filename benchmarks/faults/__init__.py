"""Every fault that a search has to outlive, struck for real."""
