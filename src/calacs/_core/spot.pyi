"""Coronagraphic spots: wrapper of csrc/spot.c."""

from calacs._core import Floats, Real

def shift(spot: Floats, shift_x: Real, shift_y: Real, row_first: int, sci: Floats, err: Floats) -> None: ...
