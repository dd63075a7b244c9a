"""Counting losses."""

import math

import numpy as np


def ratio(rate, tau):
    """True over observed rate: three Newton steps on observed = true exp(-tau true)."""
    if rate <= 0:
        return 1.0
    true = rate
    for _ in range(3):
        true = true + (rate - true * math.exp(-tau * true)) / ((1 - tau * true) * math.exp(-tau * true))
    return true / rate


def flag(sci, dq, limit, radius, bit):
    """Flags within a radius of pixels above a limit, and the number of these."""
    out = dq.copy()
    reach = int(np.float64(np.float32(radius)) + 0.5)
    bright = np.argwhere(sci.astype(float) > limit)
    for row, col in bright:
        for y in range(max(row - reach, 0), min(row + reach + 1, sci.shape[0])):
            for x in range(max(col - reach, 0), min(col + reach + 1, sci.shape[1])):
                if np.float32((x - col) ** 2 + (y - row) ** 2) <= np.float32(radius) * np.float32(radius):
                    out[y, x] |= np.int16(bit)
    return out, len(bright)
