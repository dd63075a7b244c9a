"""Median, truncation and straight-line fit, one number at a time."""

import math

INT_MIN = -(2**31)


def median(values):
    """Middle value, or the mean of the two middle ones; None for an empty list."""
    ordered = sorted(float(value) for value in values)
    n = len(ordered)
    if n == 0:
        return None
    return ordered[n // 2] if n % 2 else (ordered[n // 2 - 1] + ordered[n // 2]) / 2.0


def truncate(value):
    """Conversion to a 32-bit int toward zero; what does not fit gives the most negative int."""
    if not math.isfinite(value) or not -(2**31) - 1 < value < 2**31:
        return INT_MIN
    return math.trunc(value)


def fit_line(value, used, first, middle):
    """(slope, intercept) of the straight line through the used values, or None."""
    n = sum_t = sum_v = sum_tv = sum_tt = 0.0
    for i in range(len(value)):
        if not used[i]:
            continue
        t, v = first + i - middle, float(value[i])
        n += 1.0
        sum_t += t
        sum_v += v
        sum_tv += t * v
        sum_tt += t * t
    if n < 1:
        return None
    d = sum_tt - sum_t * sum_t / n
    if abs(d) < 1.17549435e-38:
        return None
    slope = (sum_tv - (sum_t / n) * (sum_v / n) * n) / d
    return slope, sum_v / n - slope * (sum_t / n)
