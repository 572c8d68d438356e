"""Runs the trials that a conductor hands out: on Ray, which only this room imports, or in this process."""

from superconv_tune.cluster.access import use_token

use_token()  # Ray reads the mode once, when it is imported, and all imports of it are in this room
