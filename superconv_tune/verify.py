"""``python -m superconv_tune.verify``: see `superconv_tune.commands.verify`."""

from __future__ import annotations

from superconv_tune.commands.verify import app
from superconv_tune.core.streams import lasting_outputs

if __name__ == "__main__":
    lasting_outputs()
    app()
