"""Cross-talk: ghosts of the sources of the neighboring amplifier (part of BLEVCORR).

Units   electron -> electron.
Kernel  csrc/crosstalk.c.
Origin  HSTCAL acsccd/blev_funcs_postsm4.c.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calacs._core import crosstalk as core


def correct_crosstalk(sci: NDArray[np.float32]) -> None:
    """Add back what the other amplifier of a chip took away, in place.

    Parameters
    ----------
    sci : ndarray of float32, shape (n_row, n_col)
        Untrimmed chip in electron, read by two amplifiers.
    """
    core.correct(sci)
