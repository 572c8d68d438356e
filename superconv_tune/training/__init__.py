"""The torch loop: pure knobs in, blocks of recorded steps out. It never decides to stop."""
