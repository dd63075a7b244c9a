"""Subtraction of a scaled image, with a mean line by line."""

import numpy as np

from oracles import dark, imarith


def subtract(sci, err, dq, ref_sci, ref_err, ref_dq, factor, bad_bits):
    """Image set without the flash; weighted sum of line means, and the weights."""
    factor = np.float32(factor)
    total = weights = np.float32(0)
    for row in range(len(sci)):
        line = slice(row, row + 1)
        _, (added, count) = dark.subtract(
            sci[line], err[line], dq[line], ref_sci[line], ref_err[line], ref_dq[line], factor, bad_bits
        )
        if count:
            weight = np.float32(count) / np.float32(sci.shape[1])
            total = total + np.float32(added / count) * weight
            weights = weights + weight
    planes = imarith.subtract(sci, err, dq, factor * ref_sci, factor * ref_err, ref_dq)
    return planes, (float(total), float(weights))
