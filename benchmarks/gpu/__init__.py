"""Whether everything that touches a GPU works there, and how fast: ``README.md`` beside this file."""
