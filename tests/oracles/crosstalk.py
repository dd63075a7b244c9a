"""Cross-talk, in place, pixel by pixel."""

import numpy as np


def correct(sci):
    """Corrected image."""
    out = sci.copy()
    n_col = out.shape[1]
    for row in out:
        for x in range(n_col):
            row[x] = row[x] + np.float32(float(row[n_col - 1 - x]) * 9.1e-5)
    return out
