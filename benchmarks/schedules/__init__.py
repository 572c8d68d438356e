"""One-cycle against step, linear and constant rates at equal length, each at its own best rate."""
