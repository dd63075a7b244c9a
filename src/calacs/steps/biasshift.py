"""Bias shift: the level of a pixel depends on the pixels that its amplifier read before (part of BLEVCORR).

Units   electron -> electron.
Kernel  csrc/biasshift.c.
Origin  HSTCAL acsccd/blev_funcs_postsm4.c, dobiasshift.c.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calacs._core import biasshift as core
from calacs.observation import AMPS

SQUARE_ROWS: int = core.ROWS
"""Number of lines that the correction needs: it measures the bias level near the last of them."""

SUBARRAYS = frozenset(
    [f"{name}-2K" for name in ("WFC1A", "WFC1B", "WFC2C", "WFC2D")]
    + ["WFC1-IRAMPQ", "WFC1-MRAMPQ", "WFC2-MRAMPQ", "WFC2-ORAMPQ"]
    + [f"WFC{chip}-POL{angle}{band}" for chip in (1, 2) for angle in (0, 60, 120) for band in ("UV", "V")]
)
"""Apertures whose current formats can be corrected (HSTCAL ``acsccd/dobiasshift.c``)."""


def is_supported_subarray(aperture: str) -> bool:
    """Whether subarrays of an aperture can be corrected, given that they have virtual overscan."""
    return aperture in SUBARRAYS


def correct_bias_shift(sci: NDArray[np.float32], amps: str, *, subarray: bool) -> list[tuple[float, float]]:
    """Correct the pixels of one or both amplifiers of an image and subtract their bias levels, in place.

    Parameters
    ----------
    sci : ndarray of float32, shape (n_row, n_col)
        Untrimmed image in electron, at least 2067 rows.
    amps : str
        Letters of the amplifiers.
    subarray : bool
        Whether the amplifier read the whole image, not one half of it.

    Returns
    -------
    list of (float, float)
        Bias level of each amplifier in electron before the correction, and after it: the latter was subtracted.
    """
    n_col = sci.shape[1]
    return core.correct(sci, n_col if subarray else n_col // 2, *map(AMPS.index, amps))
