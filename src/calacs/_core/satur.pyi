"""Full-well saturation: wrapper of csrc/satur.c."""

from calacs._core import Flags, Floats

def flag(sci: Floats, dq: Flags, level: Floats, rows: tuple[int, int], cols: tuple[int, int], flag: int) -> int: ...
