"""Claims of the science behind this project about searching: each has one command and one recorded result."""
