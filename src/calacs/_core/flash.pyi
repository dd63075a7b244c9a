"""Post-flash subtraction: wrapper of csrc/flash.c."""

from typing import Any

from calacs._core import Flags, Floats, Real

def subtract(
    sci: Floats,
    err: Floats,
    dq: Flags,
    ref_sci: Floats,
    ref_err: Floats,
    ref_dq: Flags,
    factor: Real,
    bad_bits: int,
    mean: Any,
) -> tuple[float, float]: ...
