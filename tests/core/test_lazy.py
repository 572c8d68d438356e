from __future__ import annotations

import math
import pickle
import subprocess
import sys

from superconv_tune.core.lazy import LazyFunction


def test_it_is_the_function() -> None:
    assert LazyFunction("math:hypot")(3, 4) == 5
    assert LazyFunction("math:hypot").function is math.hypot
    assert pickle.loads(pickle.dumps(LazyFunction("builtins:sorted")))([2, 1], reverse=True) == [2, 1]


def test_nothing_is_imported_before_it_is_called() -> None:
    lines = [
        "import sys",
        "from superconv_tune.core.lazy import LazyFunction",
        "function = LazyFunction('colorsys:rgb_to_hls')",
        "before = 'colorsys' in sys.modules",
        "function(0, 0, 0)",
        "print(before, 'colorsys' in sys.modules)",
    ]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
