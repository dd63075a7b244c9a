"""Shift of an image by a fraction of pixels."""

import numpy as np


def shift(image, dx, dy):
    """The shifted image and its square root; 1 outside."""
    n_row, n_col = image.shape
    flat = [*image.ravel(), np.float32(0), *image[-1, 1:], *image[-1], *image[-1]]
    dx, dy, one = np.float32(dx), np.float32(dy), np.float32(1)
    out = np.ones(image.shape, np.float32)
    for row in range(n_row):
        for col in range(n_col):
            x, y = -dx + np.float32(col), np.float32(row) - dy
            if not (0 <= x < n_col and 0 <= y < n_row):
                continue
            i = int(y) * n_col + int(x)
            sx, sy = x - np.float32(int(x)), y - np.float32(int(y))
            tx, ty = one - sx, one - sy
            value = tx * ty * flat[i] + sx * ty * flat[i + 1]
            out[row, col] = value + sy * tx * flat[i + n_col] + sx * sy * flat[i + n_col + 1]
    with np.errstate(invalid="ignore"):
        return out, np.sqrt(out)
