"""Bias shift, with the whole sequence of pixels in memory."""

import math

import numpy as np

from oracles.views import view

TIME_CONSTANT = (37.290251, 36.180001, 37.867770, 42.461249)
SENSITIVITY = (2.9188919e-3, 10.805754e-3, 12.432145e-3, 3.8596253e-3)


def _square(data):
    total = 0.0
    for row in range(2057, 2067):
        for col in range(13, 23):
            total += float(data[row, col])
    return total / 100


def correct(sci, n_amp_col, amp):
    """(corrected image, level before, level after)."""
    out = sci.copy()
    pixels = view(out, amp)[:, :n_amp_col]
    data = pixels.astype(np.float64)
    frequency = 1000.0 / 22.0
    gap = int(frequency * 3.212 + 0.5)
    before = _square(data)
    sequence = np.hstack([data, np.full((len(data), gap), before)]).ravel()
    phi = 1 - math.exp(-1 / (TIME_CONSTANT[amp] * frequency))
    b = [before * 0.3]
    for g in sequence.tolist():
        b.append(g * phi * 0.3 + (1 - phi) * b[-1])
    level = np.array(b)
    sequence = (sequence - SENSITIVITY[amp] * level[1:]) - (10.0 / 22.0) * (level[1:] - level[:-1])
    data = sequence.reshape(len(data), -1)[:, :n_amp_col]
    after = _square(data)
    pixels[:] = (data - after).astype(np.float32)
    return out, before, after
