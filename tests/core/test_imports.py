from __future__ import annotations

import gc

from superconv_tune.core.imports import fast_imports


def test_no_garbage_is_collected_inside_and_what_is_there_stays() -> None:
    try:
        with fast_imports():
            assert not gc.isenabled()
        assert gc.isenabled()
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
