"""The calibration library: searches whose truth is known, and what the verdict would have said of them."""
