"""Cross-talk correction: wrapper of csrc/crosstalk.c."""

from calacs._core import Floats

def correct(sci: Floats) -> None: ...
