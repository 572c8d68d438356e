"""Proofs that take longer than the tests: each one command, its result recorded beside it."""
