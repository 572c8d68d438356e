"""How soon a search trains, how much of its time it trains, and how soon it ends."""
