"""Sink pixels: wrapper of csrc/sink.c."""

import numpy as np
from numpy.typing import NDArray

from calacs._core import Flags, Floats

def flag(
    sci: Floats,
    dq: Flags,
    map: Floats,
    upward: bool,
    flag: int,
    trailing: NDArray[np.uint8],
    sink: NDArray[np.float32],
) -> int: ...
