"""Stripes: the row-to-row noise that all four WFC amplifiers have shared since Servicing Mission 4 (part of BLEVCORR).

Units   electron -> electron.
Kernel  csrc/destripe.c.
Origin  HSTCAL acsccd/blev_funcs_postsm4.c.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from calacs._core import destripe as core
from calacs.observation import AMPS
from calacs.parallel import run_parallel


@dataclass(frozen=True, slots=True, eq=False)
class Stripes:
    """What was removed.

    Attributes
    ----------
    level : dict of str to float
        Bias level in electron, by amplifier.
    stripe : ndarray of float64, shape (n_row,)
        Stripe of each row in electron, in the order of the readout; 0 in rows that were skipped.
    n_fixed, n_skipped : int
        Rows with and without a stripe.
    """

    level: dict[str, float]
    stripe: NDArray[np.float64]
    n_fixed: int
    n_skipped: int


def destripe(lower: NDArray[np.float32], upper: NDArray[np.float32], *, n_threads: int = 1) -> Stripes:
    """Subtract bias level, fixed pattern and stripes from a full frame, in place.

    Parameters
    ----------
    lower, upper : ndarray of float32, shape (n_row, n_col)
        Untrimmed chips 2 and 1 in electron.
    n_threads : int
        Threads to use; the result does not depend on it.

    Returns
    -------
    Stripes
        What was removed.
    """
    sci = {amp: upper if amp in "AB" else lower for amp in AMPS}
    measured = run_parallel([partial(core.measure, sci[amp], AMPS.index(amp)) for amp in AMPS], n_threads)
    row_means = np.array([row_mean for _, _, row_mean, _ in measured])
    good = np.array([flags for _, _, _, flags in measured])

    n_good = good.sum(axis=0)
    total = np.zeros(row_means.shape[1])
    for row_mean, flags in zip(row_means, good, strict=True):
        total[flags] += row_mean[flags]
    fixed = n_good >= 2
    stripe = np.where(fixed, total / np.maximum(n_good, 1), 0.0)
    # Amplifiers of one chip share memory but no pixel.
    run_parallel(
        [
            partial(core.subtract, sci[amp], AMPS.index(amp), m[0], m[1], stripe)
            for amp, m in zip(AMPS, measured, strict=True)
        ],
        n_threads,
    )
    levels = {amp: float(level) for amp, (_, level, _, _) in zip(AMPS, measured, strict=True)}
    return Stripes(levels, stripe, int(fixed.sum()), int((~fixed).sum()))
