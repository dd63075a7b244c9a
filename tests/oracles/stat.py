"""Statistics of good pixels."""


def good(sci, err, dq, bad_bits):
    """Number of good pixels, of those with an error <= 0, and (sum, min, max) of SCI, ERR and SCI/ERR."""
    n_good = n_no_error = 0
    ranges = [(0.0, 0.0, 0.0)] * 3
    for s, e, flags in zip(sci.ravel().tolist(), err.ravel().tolist(), dq.ravel().tolist(), strict=True):
        if flags & bad_bits:
            continue
        if e <= 0:
            n_no_error += 1
            continue
        n_good += 1
        for i, value in enumerate((s, e, s / e)):
            total, low, high = ranges[i] if n_good > 1 else (0.0, value, value)
            ranges[i] = total + value, value if value < low else low, value if value > high else high
    return n_good, n_no_error, *ranges
