"""Bias-shift correction: wrapper of csrc/biasshift.c."""

from calacs._core import Floats

ROWS: int

def correct(sci: Floats, n_amp_col: int, *amps: int) -> list[tuple[float, float]]: ...
