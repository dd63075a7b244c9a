"""Subtraction of a scaled image."""

import numpy as np

from oracles import imarith


def subtract(sci, err, dq, ref_sci, ref_err, ref_dq, factor, bad_bits):
    """Image set without the dark; sum and number of its good pixels."""
    scaled = np.float32(factor) * ref_sci
    total, count = 0.0, 0
    for value, flags in zip(scaled.ravel(), ref_dq.ravel(), strict=True):
        if not int(flags) & bad_bits:
            total += float(value)
            count += 1
    return imarith.subtract(sci, err, dq, scaled, np.float32(factor) * ref_err, ref_dq), (total, count)
