"""Bias level from the overscan: wrappers of csrc/blev.c."""

from collections.abc import Sequence

from calacs._core import Bytes, Doubles, Flags, Floats, Real

def rows(
    sci: Floats, dq: Flags, bad_bits: int, row: int, n_level: int, sections: Sequence[tuple[int, int]]
) -> tuple[Doubles, Bytes]: ...
def columns(
    sci: Floats, dq: Flags, bad_bits: int, column: int, n_level: int, lines: tuple[int, int]
) -> tuple[Doubles, Bytes]: ...
def clip(level: Doubles, used: Bytes, read_noise: Real) -> int: ...
def fit_line(value: Doubles, used: Bytes, first: float, middle: float) -> tuple[float, float] | None: ...
def subtract(
    sci: Floats,
    rows: tuple[int, int],
    cols: tuple[int, int],
    line: tuple[float, float],
    line_middle: float,
    drift: float,
    drift_zero: float,
) -> None: ...
