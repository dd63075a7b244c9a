"""RPTCORR of SBC data: sum repeated exposures.

Units   any -> the same.
Kernel  csrc/imarith.c: cal_imarith_square, cal_imarith_sum, cal_imarith_root.
Origin  HSTCAL pkg/acs/lib/acssum/acssum.c.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calacs._core import imarith

Float = NDArray[np.float32]
Flags = NDArray[np.int16]


def start_sum(sci: Float, var: Float, dq: Flags, new_sci: Float, new_err: Float, new_dq: Flags) -> None:
    """Begin a sum with the first image; `var` becomes its variance, err^2."""
    sci[...], var[...], dq[...] = new_sci, new_err, new_dq
    imarith.square(var)


def add_image(sci: Float, var: Float, dq: Flags, new_sci: Float, new_err: Float, new_dq: Flags) -> None:
    """Add an image to a sum, in place: values and variances in single precision, flags by OR."""
    imarith.sum(sci, var, dq, new_sci, new_err, new_dq)


def finish_sum(var: Float) -> None:
    """Turn the variances of a sum into uncertainties, in place."""
    imarith.root(var)
