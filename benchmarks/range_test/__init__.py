"""How good the learning rates are that a range test picks."""
