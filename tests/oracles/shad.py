"""Expansion of a binned image, pair of rows by pair of rows."""

import numpy as np

F = np.float32


def places(n_out, ratio, n):
    """For each expanded pixel: index, weights, and the indices whose flags count."""
    for i in range(n_out):
        at = (F(i) - F(ratio - 1) / F(2)) / F(ratio)
        index = max(min(int(at), n - 2), 0)
        high = at - F(index)
        whole = int(at)
        flags = (whole,) if at == whole else (whole, whole + 1)
        if whole <= 0:
            flags = (0,)
        elif whole >= n - 1:
            flags = (n - 1,)
        yield index, F(1) - high, high, flags


def expand(sci, err, dq, x, y):
    """The whole expanded image set."""
    n_row, n_col = sci.shape
    out = [np.empty((n_row * y, n_col * x), plane.dtype) for plane in (sci, err, dq)]
    for pair in range(0, n_row, 2):
        for n, (j, low_y, high_y, flags_y) in enumerate(places(2 * y, y, 2)):
            for m, (i, low_x, high_x, flags_x) in enumerate(places(n_col * x, x, n_col)):
                if x == 1 and y == 1:
                    terms = [(F(1), pair + n, m)]
                elif y == 1:
                    terms = [(low_x, pair + flags_y[0], i), (high_x, pair + flags_y[0], i + 1)]
                elif x == 1:
                    terms = [(low_y, pair + j, m), (high_y, pair + j + 1, m)]
                else:
                    terms = [
                        (low_x * low_y, pair + j, i),
                        (high_x * low_y, pair + j, i + 1),
                        (low_x * high_y, pair + j + 1, i),
                        (high_x * high_y, pair + j + 1, i + 1),
                    ]
                value = variance = None
                for weight, row, col in terms:
                    one, two = weight * sci[row, col], weight * err[row, col] * err[row, col]
                    value = one if value is None else value + one
                    variance = two if variance is None else variance + two
                place = pair * y + n, m
                out[0][place] = value
                with np.errstate(invalid="ignore"):
                    out[1][place] = err[pair + n, m] if x == y == 1 else np.sqrt(variance)
                out[2][place] = np.bitwise_or.reduce([dq[pair + a, b] for a in flags_y for b in flags_x])
    return out
