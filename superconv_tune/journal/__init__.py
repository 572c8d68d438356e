"""The append-only table of events, the one truth of a study; the only room that knows SQLAlchemy."""
