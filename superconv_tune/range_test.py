"""``python -m superconv_tune.range_test``: the learning-rate range test alone."""
