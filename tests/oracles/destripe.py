"""Stripes of a full frame, amplifier by amplifier, with every sum in the stated order."""

import math

import numpy as np

from oracles.numeric import INT_MIN, truncate
from oracles.views import view


def _sum(values):
    total = 0.0
    for value in values:
        total += float(value)
    return total


def _pattern(data):
    """Subtract the fixed pattern of the bias columns, in place; return it."""
    residual = np.empty((len(data), 24))
    for r, row in enumerate(data):
        residual[r] = row[:24] - _sum(row[12:24]) / 12
    usable = [r for r, row in enumerate(data) if all(value < 50000 for value in row[24:30])]
    pattern = []
    for c in range(24):
        values = [float(residual[r, c]) for r in usable]
        mean = _sum(values) / len(values)
        sd = math.sqrt(_sum((v - mean) * (v - mean) for v in values) / (len(values) - 1))
        for _ in range(4):
            kept = [v for v in values if abs(v - mean) <= 5 * sd]
            total, squares = _sum(kept), _sum((v - mean) * (v - mean) for v in kept)
            mean = total / len(kept)
            sd = math.sqrt(squares / (len(kept) - 1))
        pattern.append(mean)
    data[:, :24] -= pattern
    return pattern


def _good_rows(data):
    n_row, n_col = data.shape
    n_science = n_row - 20
    bias_mean = _sum(data[:n_science, :24].ravel()) / (n_science * 24)
    amp_mean = _sum(data[r, c] - bias_mean for r in range(n_science) for c in range(24, n_col)) / (
        n_science * (n_col - 24)
    )
    good = [False]
    for r in range(1, n_row):
        reference = _sum(data[r, c] + data[r - 1, c] for c in range(24)) / 48
        mean = _sum(data[r, c] - reference for c in range(24, n_col)) / (n_col - 24)
        deviation = truncate(mean - amp_mean)
        near = any(value > 70000 for value in data[r, 24:30])
        good.append(not near and (deviation == INT_MIN or abs(deviation) <= 100))
    return good


def _amp_mean(data, good):
    kept = {(r, c) for r in range(len(data)) if good[r] for c in range(24)}
    n_before = len(kept)
    n_pass = 0
    while True:
        n_pass += 1
        order = [(r, c) for c in range(24) for r in range(len(data)) if (r, c) in kept]
        mean = _sum(data[rc] for rc in order) / len(order) if order else 0.0
        width = _sum(abs(data[rc] - mean) for rc in order) / len(order) if order else 0.0
        kept = {rc for rc in order if not abs(data[rc] - mean) > 6 * width}
        if not (n_pass <= 5 or (n_pass <= 10 and len(kept) < n_before)):
            break
        n_before = len(kept)
    order = [(r, c) for c in range(24) for r in range(len(data)) if (r, c) in kept]
    return _sum(data[rc] for rc in order) / len(order) if order else 0.0


def destripe(lower, upper):
    """(lower, upper, levels of A to D, stripe of each row, rows fixed): chips 2 and 1 without level and stripes."""
    lower, upper = lower.copy(), upper.copy()
    n_row, n_col = lower.shape
    half = n_col // 2
    chips = (upper, upper, lower, lower)
    views = [view(chip, amp)[:, :half] for amp, chip in enumerate(chips)]
    data = [pixels.astype(np.float64) for pixels in views]
    good, level = [], []
    for one in data:
        _pattern(one)
        good.append(_good_rows(one))
        level.append(_amp_mean(one, good[-1]))
        one -= level[-1]
    stripe = np.zeros(n_row)
    fixed = 0
    for r in range(n_row):
        means = []
        for amp, one in enumerate(data):
            mean = _sum(one[r, :24]) / 24
            sd = math.sqrt(_sum((v - mean) * (v - mean) for v in one[r, :24]) / 23)
            if good[amp][r] and sd < 15:
                means.append(mean)
        if len(means) >= 2:
            stripe[r] = _sum(means) / len(means)
            fixed += 1
    for pixels, one in zip(views, data, strict=True):
        for r in range(n_row):
            for c in range(half):
                p = r + (c - 11.5) / (half + 146)
                k = min(max(math.floor(p), 0), n_row - 2)
                pixels[r, c] = np.float32(one[r, c] - (stripe[k] + (p - k) * (stripe[k + 1] - stripe[k])))
    return lower, upper, level, stripe, fixed
