"""One-hour feasibility: LR-range test, one-cycle training and a search that ends in a verdict."""
