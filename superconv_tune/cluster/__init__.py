"""The only room that knows Ray."""

from superconv_tune.cluster.access import use_token

use_token()  # Ray reads the mode once, when it is imported, and all imports of it are in this room
