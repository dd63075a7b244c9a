"""Image arithmetic in single precision."""

import numpy as np


def quadrant_map(shape, quadrants):
    """Value of each pixel: lower left, lower right, upper left, upper right."""
    out = np.empty(shape, np.float32)
    values = np.array(quadrants.values, np.float32)
    for y in range(shape[0]):
        for x in range(shape[1]):
            out[y, x] = values[2 * (y >= quadrants.row) + (x >= quadrants.col)]
    return out


def gain(sci, err, quadrants):
    """SCI and ERR in electrons."""
    factor = quadrant_map(sci.shape, quadrants)
    return sci * factor, err * factor


def subtract(sci, err, dq, ref_sci, ref_err, ref_dq):
    """Difference, error in quadrature, flags of both."""
    return sci - ref_sci, np.sqrt(err * err + ref_err * ref_err), dq | ref_dq
