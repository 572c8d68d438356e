"""Packing bits into text and unpacking them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from superconv_tune.core.bits import pack, unpack


@given(st.lists(st.booleans(), min_size=1, max_size=70))
def test_unpacking_returns_the_packed_bits(bits: list[bool]) -> None:
    text = pack(np.array(bits, dtype=np.bool_))
    assert text.isascii()
    assert unpack(text, len(bits)).tolist() == bits
