"""Uncertainty of CCD data in single precision."""

import numpy as np

from oracles.imarith import quadrant_map


def ccd(sci, err, quadrants, bias):
    """ERR with photon and read noise."""
    noise = quadrant_map(sci.shape, quadrants)
    if bias:
        return noise
    signal = np.where(sci < 0, np.float32(0), sci)
    return np.sqrt((signal + noise * noise) + err * err)
