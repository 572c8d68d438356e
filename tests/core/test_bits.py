"""Packing bits into text and unpacking them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from superconv_tune.core.bits import pack, pack_numbers, unpack, unpack_numbers


@given(st.lists(st.booleans(), min_size=1, max_size=70))
def test_unpacking_returns_the_packed_bits(bits: list[bool]) -> None:
    text = pack(np.array(bits, dtype=np.bool_))
    assert text.isascii()
    assert unpack(text, len(bits)).tolist() == bits


@given(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=70))
def test_unpacking_returns_the_packed_numbers(numbers: list[int]) -> None:
    text = pack_numbers(np.array(numbers, dtype=np.int64))
    assert text.isascii()
    assert unpack_numbers(text).tolist() == numbers
