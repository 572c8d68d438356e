"""``python -m superconv_tune.search``: see `superconv_tune.commands.search`.

Imported, ``superconv_tune.search`` is not this module but the function for Python; see `superconv_tune.api`.
"""

from __future__ import annotations

from superconv_tune.commands.search import app
from superconv_tune.core.streams import lasting_outputs

if __name__ == "__main__":
    lasting_outputs()
    app()
elif __name__ != "__mp_main__":  # imported, it would take the name of the function; a DataLoader's workers run it again
    raise ImportError(
        "superconv_tune.search is a function: `import superconv_tune`, then `superconv_tune.search(data)`. The command "
        "is `superconv-tune search` or `python -m superconv_tune.search`; its code is superconv_tune.commands.search."
    )
