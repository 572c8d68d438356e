"""``python -m superconv_tune.range_test``: see `superconv_tune.commands.range_test`."""

from __future__ import annotations

from superconv_tune.commands.range_test import app
from superconv_tune.core.streams import lasting_outputs

if __name__ == "__main__":
    lasting_outputs()
    app()
