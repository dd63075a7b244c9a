"""Rejection of cosmic rays: wrappers of csrc/crrej.c and csrc/crrej_sky.c.

Images are C-contiguous blocks of whole rows; an empty block is refused.  `rule` is (sigma2, scale, spread2, radius2, width,
bad_bits) of `cal_crrej_rule`.
"""

from collections.abc import Sequence
from typing import Any

from calacs._core import Bytes, Flags, Floats, Ints, Real

def add_to_range(
    sci: Floats, dq: Flags, bad_bits: int, range: tuple[float, float, int]
) -> tuple[float, float, int]: ...
def bins_of(range: tuple[float, float, int]) -> tuple[float, float, int]: ...
def add_to_histogram(sci: Floats, dq: Flags, bins: tuple[float, float, int], count: Ints) -> None: ...
def mode(count: Ints, bins: tuple[float, float, int]) -> float: ...
def guess(
    images: Sequence[tuple[Floats, Flags, float, float]], median: bool, bad_bits: int, result: Floats
) -> None: ...
def scan(
    sci: Floats,
    err: Floats,
    time: Real,
    sky: Real,
    rule: Any,
    guess: Floats,
    shade: Floats | None,
    n_scan: int,
    mask: Flags,
    raw: Flags | None,
) -> None: ...
def accumulate(
    sci: Floats,
    err: Floats,
    time: Real,
    sky: Real,
    mask: Flags,
    left_out: int,
    sum: Floats,
    time_sum: Floats,
    square: Floats | None,
) -> None: ...
def merge(mask: Flags, raw: Flags, flag: int, seen: Flags, dq: Flags, hit: Bytes | None) -> int: ...
def average(sum: Floats, time_sum: Floats, shade: Floats | None, guess: Floats) -> None: ...
def finish(
    sum: Floats,
    time_sum: Floats,
    square: Floats,
    shade: Floats | None,
    total: Real,
    sky: Real,
    sci: Floats,
    err: Floats,
) -> None: ...
