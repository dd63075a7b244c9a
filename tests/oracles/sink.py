"""Sink pixels, one column after the other."""

import numpy as np


def flag(sci, dq, codes, upward, bit):
    """(DQ with the bit, number of pixels flagged)."""
    out = dq.copy()
    n_row, n_col = sci.shape
    n = 0
    for x in range(n_col):
        on, reference = False, np.float32(0)
        for y in range(n_row) if upward else range(n_row - 1, -1, -1):
            code = codes[y, x]
            spoiled = False
            if code < 0:
                on = spoiled = True
                if code < -1:
                    reference = sci[y, x]
            elif code > 0:
                if on:
                    on = spoiled = bool(code > reference)
            elif code == 0:
                on = False
            if spoiled:
                out[y, x] |= np.int16(bit)
                n += 1
    return out, n
