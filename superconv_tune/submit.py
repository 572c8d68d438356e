"""``python -m superconv_tune.submit``: see `superconv_tune.commands.submit`."""

from __future__ import annotations

from superconv_tune.commands.submit import app
from superconv_tune.core.streams import lasting_outputs

if __name__ == "__main__":
    lasting_outputs()
    app()
