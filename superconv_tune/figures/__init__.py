"""Still figures of curves; the only room that knows matplotlib."""
