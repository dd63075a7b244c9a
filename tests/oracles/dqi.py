"""Flags of A-to-D saturation and of the runs of bad pixels."""

import math

import numpy as np


def flag_above(sci, dq, level, flag):
    """DQ with `flag` where sci >= level."""
    out = dq.copy()
    for index in np.ndindex(sci.shape):
        if float(sci[index]) >= level:
            out[index] |= np.int16(flag)
    return out


def flag_runs(dq, runs, offset_x, offset_y):
    """DQ with the flags of the runs (PIX1, PIX2, LENGTH, AXIS, VALUE)."""
    out = dq.copy()
    n_row, n_col = dq.shape
    for pix1, pix2, length, axis, value in np.asarray(runs).tolist():
        x, y = math.trunc((pix1 - 1) + offset_x), math.trunc((pix2 - 1) + offset_y)
        for step in range(length):
            col, row = (x + step, y) if axis == 1 else (x, y + step)
            if 0 <= col < n_col and 0 <= row < n_row:
                out[row, col] |= np.array(value).astype(np.int16)
    return out
