"""Can a target be reached within a budget of time? A search with range tests and one-cycles that ends in a verdict."""
