"""Charge-transfer efficiency from its definition: row by row, all columns at a time."""

import numpy as np


def clip(value, limit):
    """NaN passes, as it does in comparisons."""
    value = np.where(value > limit, limit, value)
    return np.where(value < -limit, -limit, value)


@np.errstate(invalid="ignore", over="ignore", divide="ignore")
def smooth(image, read_noise, most=100):
    """(smooth image, iterations, rms)."""
    o = image.astype(np.float64)
    s = image.astype(np.float32)
    n_col, n_row = image.shape
    limit, rn2 = read_noise * 0.33, read_noise * read_noise
    rms, n_iteration = np.nan, 0
    while n_iteration < most:
        n_iteration += 1
        m = s.astype(np.float64)
        d0 = o - m
        d9 = np.zeros_like(m)
        if n_col > 2 and n_row > 2:
            total = np.zeros((n_col - 2, n_row - 2))
            for u in (0, -1, 1):
                for v in (-1, 0, 1):
                    at = np.s_[1 + u : n_col - 1 + u, 1 + v : n_row - 1 + v]
                    total = total + o[at] - m[at]
            d9[1:-1, 1:-1] = total / 9.0
        a, b = np.zeros_like(m), np.zeros_like(m)
        a[:, 1:] = m[:, :-1] - m[:, 1:]
        b[:, :-1] = m[:, 1:] - m[:, :-1]
        adjust = (
            clip(d0, 1.0) * (d0 * d0 / (d0 * d0 + 4.0 * rn2)) * 0.25
            + clip(d9, limit) * (d9 * d9 / (d9 * d9 + 18.0 * rn2)) * 0.25
            + clip(a, limit) * (4.0 * rn2 / (a * a + 4.0 * rn2)) * 0.25
            + clip(b, limit) * (4.0 * rn2 / (b * b + 4.0 * rn2)) * 0.25
        ).astype(np.float32)
        s = (m + adjust.astype(np.float64) * 0.75).astype(np.float32)
        noise = (image - s).astype(np.float64)
        counts = (np.abs(o) > 0.1) | (np.abs(s.astype(np.float64)) > 0.1)
        rms = np.sqrt(np.cumsum(noise[counts] ** 2)[-1] / counts.sum()) if counts.any() else np.nan
        if read_noise - rms < 0.00001:
            break
    return s, n_iteration, rms


def trap_map(shape, index, nodes, first=0, fraction=1.0):
    """(density, covered)."""
    density, covered = np.zeros(shape, np.float32), np.zeros(shape[0], bool)
    for entry, node in zip(index, nodes, strict=True):
        u = int(entry) - first
        if 0 <= u < shape[0]:
            covered[u] = True
            for v in range(shape[1]):
                r = min(v / 512.0, 2.999)
                i = int(np.floor(r))
                density[u, v] = np.float32(
                    (node[i] + (node[i + 1] - node[i]) * (r - i)) * ((v + 1) / 2048.0) * fraction
                )
    return density, covered


@np.errstate(invalid="ignore", over="ignore", divide="ignore")
def readout(packet, tau, model):
    """Charge packets float64 (n_col, n_row) after one readout."""
    p = packet.copy()
    n_col, n_row = p.shape
    n_tail = model.n_tail
    amount = model.capture / model.n_transfer
    release = np.hstack([model.release.astype(np.float64), np.zeros((model.n_level, 1))])
    held = np.hstack([model.held.astype(np.float64), np.zeros((model.n_level, 1))])
    for _ in range(model.n_transfer):
        for w in range(model.n_level - 1, -1, -1):
            trapped, age = np.zeros(n_col), np.full(n_col, n_tail)
            if not (p >= model.charge[w]).any():
                continue
            for v in range(n_row):
                if v > 0:
                    falls = tau[:, v] < tau[:, v - 1]
                    trapped = np.where(falls, trapped * (tau[:, v] / tau[:, v - 1]), trapped)
                fills = p[:, v] >= model.charge[w]
                inside = age < n_tail
                add = np.where(inside, release[w, age] * trapped, 0.0)
                extra = np.where(inside & fills, held[w, age] * trapped, 0.0)
                lost = np.where(fills, amount[w] * tau[:, v], 0.0)
                trapped = np.where(fills, lost, trapped)
                age = np.where(fills, 0, np.minimum(age + 1, n_tail))
                p[:, v] = p[:, v] + ((add + extra) - lost)
    return p


def forward(image, tau, model):
    """Image float32 after the readout."""
    return readout(image.astype(np.float64), tau.astype(np.float64), model).astype(np.float32)


def weaken(restored, observed, tau, limit):
    """Whether the column is over-subtracted; its densities are lowered in place."""
    found = False
    m, o = restored, observed
    for v in range(10, len(m) - 2):
        if (
            (limit > m[v] and limit > m[v] - o[v])
            or (m[v] + m[v + 1] < -12 and m[v] + m[v + 1] - o[v] - o[v + 1] < -12)
            or (m[v] + m[v + 1] + m[v + 2] < -15 and m[v] + m[v + 1] + m[v + 2] - o[v] - o[v + 1] - o[v + 2] < -15)
        ):
            found = True
            g = v
            for k in range(v - 10, v + 1):
                if m[k] - o[k] > m[g] - o[g]:
                    g = k
            for k in range(g, v + 1):
                tau[k] = np.float32(np.float64(tau[k]) * 0.75)
    return found


@np.errstate(invalid="ignore", over="ignore", divide="ignore")
def inverse(image, density, model, read_noise):
    """(restored float32, inversions of each column)."""
    observed = image.astype(np.float64)
    tau = density.astype(np.float32).copy()
    result = np.empty_like(observed)
    n_run = np.zeros(len(observed), np.int32)
    left = np.arange(len(observed))
    for _ in range(5):
        o, t = observed[left], tau[left].astype(np.float64)
        m = o.copy()
        for _ in range(model.n_iteration - 1):
            d = readout(m, t, model) - o
            m = m - d * (d * d / (d * d + read_noise * read_noise))
        m = m - (readout(m, t, model) - o)
        result[left] = m
        n_run[left] += 1
        if not model.fix_cosmic_rays:
            break
        left = np.array([u for u in left if weaken(result[u], observed[u], tau[u], model.oversubtraction)], int)
        if not left.size:
            break
    return result.astype(np.float32), n_run


def combine(restored, smoothed, sci, err):
    """(SCI, ERR)."""
    delta = restored - smoothed
    square = (err * err).astype(np.float64)
    return sci + delta, np.sqrt(square + (0.1 * np.abs(delta.astype(np.float64))) ** 2).astype(np.float32)
