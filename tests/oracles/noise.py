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


def counts(sci):
    """ERR of counts, and the number of negative ones."""
    err = np.empty(sci.shape, np.float32)
    for place, value in np.ndenumerate(sci):
        value = np.float32(abs(int(value))) if value < 0 else value
        err[place] = max(np.float32(1), np.sqrt(np.float32(value)))
    return err, int((sci < 0).sum())
