"""Statistics of good pixels: wrapper of csrc/stat.c."""

from typing import Any

from calacs._core import Flags, Floats

def good(sci: Floats, err: Floats, dq: Flags, bad_bits: int) -> Any: ...
