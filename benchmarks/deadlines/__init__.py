"""Real searches whose trials go wrong: does the deadline hold, and is there a verdict?"""
