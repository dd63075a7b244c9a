"""Classic bias level."""

import math

import numpy as np

from oracles.numeric import INT_MIN, fit_line, median, truncate

__all__ = ["clip", "columns", "fit_line", "rows", "subtract"]


def _levels(groups):
    levels = [median(group) for group in groups]
    return np.array([0.0 if level is None else level for level in levels]), np.array(
        [level is not None for level in levels], np.uint8
    )


def rows(sci, dq, bad_bits, row, n_level, sections):
    """Median of the usable pixels of each line in the sections (first and last column inclusive)."""
    return _levels(
        [sci[y, x] for first, last in sections for x in range(first, last + 1) if not dq[y, x] & bad_bits]
        for y in range(row, row + n_level)
    )


def columns(sci, dq, bad_bits, column, n_level, lines):
    """Median of the usable pixels of each column in the lines (inclusive)."""
    return _levels(
        [sci[y, x] for y in range(lines[0], lines[1] + 1) if not dq[y, x] & bad_bits]
        for x in range(column, column + n_level)
    )


def clip(level, used, read_noise):
    """Flags after the two rejections, and how many there were."""
    used = [bool(flag) for flag in used]
    n = sum(used)
    if n == 0:
        return np.array(used, np.uint8), 0
    count = 0

    def mean_of_used():
        total, number = 0.0, 0
        for value, flag in zip(level, used, strict=True):
            if flag:
                total += float(value)
                number += 1
        return total / number if number else math.nan

    def reject(threshold):
        limit = truncate(threshold)
        limit = limit if limit == INT_MIN else abs(limit)
        rejected = [i for i, value in enumerate(level) if float(value) > limit]
        for i in rejected:
            used[i] = False
        return len(rejected)

    mean = mean_of_used()
    variance = 0.0
    for value, flag in zip(level, used, strict=True):
        if flag:
            variance += (float(value) - mean) ** 2
    sd = math.sqrt(variance / (n - 1)) if n > 1 else math.nan
    root = math.sqrt(mean) if mean >= 0 else math.nan
    if sd > root:
        sd = root
    count += reject(3.0 * sd + mean)
    count += reject(float(np.float32(3) * np.float32(read_noise)) + mean_of_used())
    return np.array(used, np.uint8), count


def subtract(sci, region_rows, region_cols, line, middle, drift, drift_zero):
    """Image without level and drift in the region."""
    out = sci.copy()
    for y in range(*region_rows):
        level = (y - middle) * line[0] + line[1]
        for x in range(*region_cols):
            out[y, x] = np.float32(float(sci[y, x]) - level - (x - drift_zero) * drift)
    return out
