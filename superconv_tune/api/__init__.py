"""Python: `search` on a path, arrays, a table or a spec, the `Study` that it returns, and scikit-learn estimators."""
