"""``python -m superconv_tune.train``: see `superconv_tune.commands.train`."""

from __future__ import annotations

from superconv_tune.commands.train import app
from superconv_tune.core.streams import lasting_outputs

if __name__ == "__main__":
    lasting_outputs()
    app()
