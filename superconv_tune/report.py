"""``python -m superconv_tune.report``: see `superconv_tune.commands.report`."""

from __future__ import annotations

from superconv_tune.commands.report import app
from superconv_tune.core.streams import lasting_outputs

if __name__ == "__main__":
    lasting_outputs()
    app()
