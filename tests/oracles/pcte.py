"""The CTE correction of one amplifier, pixel by pixel: geometry and trap map; the kernels have an oracle of their own."""

import numpy as np

from calacs import cte


def position(amp, direction, u, v, n_row, n_col):
    """Image row and column, inside the amplifier's part, of column u and row v of the working array."""
    dx, dy = (u, v) if direction == "parallel" else (v, n_row - 1 - u)
    x = dx if amp in "AC" else n_col - 1 - dx
    y = dy if amp in "CD" else n_row - 1 - dy
    return y, x


def trap_density(traps, first, fraction, n_u, n_v):
    density = np.zeros((n_u, n_v), np.float32)
    for u in range(n_u):
        entries = np.flatnonzero(traps.index == u + first)
        if not entries.size:
            continue
        node = traps.nodes[entries[-1]]
        for v in range(n_v):
            r = min(v / 512.0, 2.999)
            i = int(r)
            density[u, v] = np.float32((node[i] + (node[i + 1] - node[i]) * (r - i)) * ((v + 1) / 2048.0) * fraction)
    return density


def correct(sci, err, amp, first, passes, read_noise, *, simulate=False):
    """Corrected copies of an amplifier's part of SCI and ERR; `passes` are (direction, traps, fraction, model)."""
    sci, err = sci.copy(), err.copy()
    n_row, n_col = sci.shape
    for direction, traps, fraction, model in passes:
        n_u, n_v = (n_col, n_row) if direction == "parallel" else (n_row, n_col)
        places = {(u, v): position(amp, direction, u, v, n_row, n_col) for u in range(n_u) for v in range(n_v)}
        work = np.zeros((n_u, n_v), np.float32)
        for place, pixel in places.items():
            work[place] = sci[pixel]
        density = trap_density(traps, first, fraction, n_u, n_v)
        if simulate:
            before, after = work, cte.forward(work, density, model)
        else:
            before = cte.smooth(work, read_noise).image
            after = cte.inverse(before, density, model, read_noise).image
        for place, pixel in places.items():
            delta = np.float32(after[place] - before[place])
            sci[pixel] = np.float32(sci[pixel] + delta)
            square = np.float32(err[pixel] * err[pixel])
            err[pixel] = np.float32(np.sqrt(np.float64(square) + (0.1 * abs(np.float64(delta))) ** 2))
    return sci, err
