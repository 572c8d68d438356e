"""``python -m superconv_tune.predict``: see `superconv_tune.commands.predict`."""

from __future__ import annotations

from superconv_tune.commands.predict import app
from superconv_tune.core.streams import lasting_outputs

if __name__ == "__main__":
    lasting_outputs()
    app()
