"""Full-well saturation."""

import numpy as np


def flag(sci, dq, level, rows, cols, bit):
    """DQ with the bit where sci > level inside rows x cols."""
    out = dq.copy()
    for y in range(*rows):
        for x in range(*cols):
            if sci[y, x] > level[y, x]:
                out[y, x] |= np.int16(bit)
    return out
