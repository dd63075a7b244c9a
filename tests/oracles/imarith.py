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


def multiply(sci, err, dq, ref_sci, ref_err, ref_dq):
    """Product, relative errors in quadrature, flags of both."""
    return sci * ref_sci, np.sqrt((sci * ref_err) ** 2 + (ref_sci * err) ** 2), dq | ref_dq


def divide(sci, err, dq, ref_sci, ref_err, ref_dq, zero_flag):
    """Quotient, relative errors in quadrature, flags of both; pixels divided by 0 stay and get a flag."""
    zero = ref_sci == 0
    with np.errstate(all="ignore"):
        own, other = err / ref_sci, ref_err * sci / ref_sci / ref_sci
        quotient, sigma = sci / ref_sci, np.sqrt(own * own + other * other)
    flags = dq | ref_dq | np.where(zero, np.int16(zero_flag), np.int16(0))
    return np.where(zero, sci, quotient), np.where(zero, err, sigma), flags
