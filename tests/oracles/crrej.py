"""Combination of exposures with cosmic-ray rejection, pixel by pixel, whole images in memory.

Images are lists of (sci, err, dq, time); every float operation is one of numpy.float32.
"""

import math

import numpy as np

F = np.float32
SPILL, EXCLUDE, HIT, FLAG = 2, 4, 8, 8192


def float_sum(values):
    total = F(0)
    for value in values:
        total = F(total + F(value))
    return total


def truncate(value):
    return int(value) if -(2.0**31) - 1 < value < 2.0**31 else -(2**31)


def sky(images, bad_bits):
    """Mode of each image; the bins come from the first one."""
    sci, _, dq, _ = images[0]
    lowest, total, count = F(2147483648.0), F(0), 0
    for value, flags in zip(sci.ravel(), dq.ravel(), strict=True):
        if int(flags) & bad_bits == 0:
            lowest = min(lowest, value) if not math.isnan(value) else lowest
            total, count = F(total + value), count + 1
    low = -15000 if lowest < -15000 else truncate(float(lowest))
    mean = F(truncate(float(F(F(total / F(max(count, 1))) + F(1))))) if total > 0 else F(1)
    high = truncate(float(F(F(2) * mean - F(low))))
    n_bin = (high - low + 1 + 2**31) % 2**32 - 2**31
    width = F(1)
    if n_bin < 1000:
        n_bin = 1000
    elif n_bin > 10000:
        width, n_bin = F(F(n_bin) / F(10000)), 10000
    return np.array([mode(sci, dq, F(low), width, n_bin) for sci, _, dq, _ in images], F)


def mode(sci, dq, low, width, n_bin):
    count = [0] * n_bin
    for value, flags in zip(sci.ravel(), dq.ravel(), strict=True):
        place = F(F(value - low) / width)
        if flags == 0 and abs(place) < 2147483647 and 0 <= int(place) < n_bin:
            count[int(place)] += 1
    b = count.index(max(count))
    if b == 0:
        return F(float(low) + 0.5 * float(width))
    if b == n_bin - 1:
        return F(float(low) + (n_bin - 0.5) * float(width))
    left, right = F(count[b] - count[b - 1]), F(count[b] - count[b + 1])
    place = F(b + 0.5 + 0.5 * float(F(left - right)) / float(F(left + right)))
    return F(low + F(place * width))


def minimum(images, skies, bad_bits):
    guess = np.zeros_like(images[0][0])
    for k, ((sci, _, dq, time), level) in enumerate(zip(images, skies, strict=True)):
        for at in np.ndindex(sci.shape):
            value = F(F(sci[at] - level) / F(time)) if time > 0 else F(0)
            if k == 0 or value < guess[at]:
                guess[at] = value if int(dq[at]) & bad_bits == 0 and time > 0 else 0
    return guess


def median(images, skies, bad_bits):
    guess = np.zeros_like(images[0][0])
    for at in np.ndindex(guess.shape):
        values = []
        for (sci, _, dq, time), level in zip(images, skies, strict=True):
            if time > 0 and int(dq[at]) & bad_bits == 0:
                place = len(values)
                value = F(F(sci[at] - level) / F(time))
                while place > 0 and values[place - 1] > value:
                    place -= 1
                values.insert(place, value)
        n = len(values)
        if n:
            guess[at] = values[n // 2] if n % 2 else F(F(values[n // 2 - 1] + values[n // 2]) / F(2))
    return guess


def combine(images, skies, guess, sigmas, radius, thresh, scalense, bad_bits, calibration, shading=None):
    """(sci, err, dq, rejected pixels of each image); `shading` is (average, threshold)."""
    n_row, n_col = guess.shape
    scale, radius2 = F(F(scalense) / F(100)), F(F(radius) * F(radius))
    width = math.ceil(radius)
    spread = F(F(thresh) * F(thresh)) if thresh > 0 else F(-1)
    excluding = bad_bits & ~EXCLUDE if calibration else bad_bits
    left_out = SPILL | HIT if calibration else SPILL | HIT | EXCLUDE
    guess = guess.copy()
    for number, sigma in enumerate(sigmas):
        sigma2 = F(F(sigma) * F(sigma))
        last = number == len(sigmas) - 1
        total, times, squares = (np.zeros_like(guess) for _ in range(3))
        out, seen = np.full(guess.shape, FLAG, int), np.zeros(guess.shape, int)
        rejected = []
        for (sci, err, dq, time), level in zip(images, skies, strict=True):
            if not time > 0:
                rejected.append(np.zeros(guess.shape, bool))
                continue
            t = F(time)
            rate = ((sci - level) / t).astype(F)
            off2, g, t2 = (rate - guess) * (rate - guess), err * err, F(t * t)
            signal = guess * t
            if shading is not None:
                signal = signal / (F(1) + shading[1] * F(F(1) / t))
            noise = scale * np.where(signal > 0, signal, F(0))
            hit = off2 > sigma2 * (g + noise * noise) / t2
            spill = ~(off2 <= spread * (sigma2 * g / t2))
            mask, raw = dq.astype(int), np.zeros(guess.shape, int)
            for y in range(n_row):
                raw[y] = mask[y]
                for x in range(n_col):
                    if mask[y, x] & excluding and mask[y, x] != SPILL:
                        mask[y, x] = EXCLUDE
                for x in range(n_col):
                    if not hit[y, x] or mask[y, x] == EXCLUDE:
                        continue
                    mask[y, x] = HIT
                    for dy in range(-width, width + 1):
                        for dx in range(-width, width + 1):
                            at = y + dy, x + dx
                            if not (0 <= at[0] < n_row and 0 <= at[1] < n_col) or F(dx * dx + dy * dy) > radius2:
                                continue
                            if width and spill[at] and mask[at] != HIT:
                                mask[at] = SPILL
                used = mask[y] & left_out == 0
                total[y] = np.where(used, total[y] + rate[y] * t, total[y])
                times[y] = np.where(used, times[y] + t, times[y])
                squares[y] = np.where(used, squares[y] + g[y], squares[y])
                # The mask of finished rows changes no more, as far as anything looks at it.
                mask_final = np.isin(mask[y], (HIT, SPILL))
                if y == 0:
                    hits = np.zeros(guess.shape, bool)
                hits[y] = mask_final
            rejected.append(hits)
            flags = (raw | seen) & ~(FLAG | SPILL)
            merged = flags | out
            seen = np.where(hits, flags | FLAG, flags)
            out = np.where(hits, merged, merged & ~FLAG)
        with np.errstate(divide="ignore", invalid="ignore"):
            new = total / times
            if shading is not None:
                new = new / (F(1) + shading[0] / times)
        guess = np.where(times > 0, new, F(0) if last else guess)
    exposure = float_sum(time for *_, time in images)
    level = float_sum(skies)
    level = F(0) if level < 0 else level
    with np.errstate(divide="ignore", invalid="ignore"):
        error = ((exposure / times).astype(np.float64) * np.sqrt(squares.astype(np.float64))).astype(F)
    return guess * exposure + level, np.where(times > 0, error, F(0)), out.astype(np.int16), rejected
