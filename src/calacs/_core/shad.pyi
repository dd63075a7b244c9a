"""Shutter shading: wrappers of csrc/shad.c."""

from typing import Any

from calacs._core import Flags, Floats, Real

def expand(
    ref_sci: Floats,
    ref_err: Floats,
    ref_dq: Flags,
    ratio: Any,
    row_first: int,
    col_first: int,
    sci: Floats,
    err: Floats,
    dq: Flags,
) -> None: ...
def divisor(sci: Floats, err: Floats, rate: Real) -> None: ...
