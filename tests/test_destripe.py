"""Stripes: kernels against their oracle, bad input, threads."""

import numpy as np
import pytest

from calacs._core import destripe as core
from calacs.errors import KernelError
from calacs.steps.destripe import destripe
from helpers import read_only, same_bits
from oracles import destripe as oracle


def chips(seed, n_row=60, n_col=80, tail=0, stripe=2.0):
    rng = np.random.default_rng(seed)
    made = []
    rows = stripe * rng.standard_normal(n_row)
    for chip in range(2):
        sci = rng.normal(0.3, 4, (n_row, n_col)) + rows[:: 1 if chip == 0 else -1, None]
        sci[:, 24:-24] += 30
        n = int(tail)
        sci[rng.integers(0, n_row, n), rng.integers(0, 24, n)] += rng.normal(0, 300, n)
        sci[rng.integers(0, n_row, n), rng.integers(n_col - 24, n_col, n)] += rng.normal(0, 300, n)
        made.append(sci.astype(np.float32))
    return made


def check(lower, upper):
    want_lower, want_upper, level, stripe, fixed = oracle.destripe(lower, upper)
    got = destripe(lower, upper)
    assert list(got.level.values()) == level
    assert same_bits(got.stripe, stripe)
    assert (got.n_fixed, got.n_skipped) == (fixed, len(stripe) - fixed)
    assert same_bits(lower, want_lower)
    assert same_bits(upper, want_upper)
    return got


@pytest.mark.parametrize("tail", [0, 20, 150])
def test_the_kernels_match_the_oracle(tail):
    """A heavy tail needs more than the least number of clipping passes."""
    check(*chips(tail, tail=tail))


def test_odd_widths_leave_the_middle_column_alone():
    lower, upper = chips(1, 40, 75)
    middle = lower[:, 37].copy()
    check(lower, upper)
    assert same_bits(lower[:, 37].copy(), middle)


def test_rows_beside_saturated_pixels_are_not_used():
    lower, upper = chips(2)
    for one in (lower, upper):
        one[5, 26] = one[8, -28] = 7.1e4
        one[11, 24] = 5.0e4
        one[14, 24:-24] += 200
    got = check(lower, upper)
    assert got.n_skipped >= 1


def test_a_row_that_no_amplifier_trusts_is_skipped():
    lower, upper = chips(3)
    lower[20, 24:-24] += 1e4
    upper[-21, 24:-24] += 1e4
    before = chips(3)[0][20, :24].mean()
    got = check(lower, upper)
    assert got.stripe[20] == 0.0
    assert got.stripe[0] == 0.0
    assert before != 0.0


def test_stripes_vanish():
    """A noise that runs on linearly in time from row to row is removed as far as the read noise lets it be seen."""
    n_row, n_col = 200, 400
    rng = np.random.default_rng(4)
    noise = 5 * rng.standard_normal(n_row + 1)
    time = np.arange(n_row)[:, None] + (np.arange(n_col // 2) - 11.5) / (n_col // 2 + 146)
    stripes = np.interp(time, np.arange(n_row + 1), noise)
    lower, upper = chips(4, n_row, n_col, stripe=0.0)
    clean = lower.copy(), upper.copy()
    for image in (lower, upper[::-1]):
        image += np.hstack([stripes, stripes[:, ::-1]]).astype(np.float32)
    destripe(lower, upper)
    for got, want in zip((lower, upper), clean, strict=True):
        left = (got - want)[30:-30, 24 : n_col // 2].mean(axis=1)
        assert left.std() < 0.15 * noise.std()
    assert abs(lower[1:, :24].mean()) < 0.3


@pytest.mark.parametrize("n_threads", [1, 2, 7])
def test_threads_do_not_matter(n_threads):
    lower, upper = chips(5)
    first, second = chips(5)
    want = destripe(first, second)
    got = destripe(lower, upper, n_threads=n_threads)
    assert got.level == want.level
    assert same_bits(got.stripe, want.stripe)
    assert same_bits(lower, first)
    assert same_bits(upper, second)


@pytest.mark.parametrize("amp", range(4))
def test_amplifiers_differ_by_reflection_only(amp):
    """Amp-flip equivariance: an amplifier sees its own corner."""
    sci = chips(6)[0]
    flipped = sci[::-1] if amp < 2 else sci
    flipped = np.ascontiguousarray(flipped[:, ::-1] if amp % 2 else flipped)
    got, want = core.measure(sci, amp), core.measure(flipped, 2)
    assert all(same_bits(np.asarray(a), np.asarray(b)) for a, b in zip(got, want, strict=True))


def test_inputs_of_the_measurement_are_not_written_to():
    (sci,) = read_only(chips(7)[0])
    column_mean, level, _, _ = core.measure(sci, 1)
    with pytest.raises(ValueError, match="read-only"):
        core.subtract(sci, 1, column_mean, level, np.zeros(len(sci)))


@pytest.mark.parametrize(
    ("shape", "amp", "code"),
    [((20, 80), 0, -2), ((60, 59), 0, -2), ((60, 80), 4, -3), ((60, 80), -1, -3), ((1, 1), 0, -2)],
)
def test_what_does_not_fit_is_refused(shape, amp, code):
    with pytest.raises(KernelError) as caught:
        core.measure(np.ones(shape, np.float32), amp)
    assert caught.value.code == code


@pytest.mark.parametrize(("shape", "amp"), [((1, 80), 0), ((60, 80), 4), ((60, 80), -1)])
def test_subtraction_that_does_not_fit_is_refused(shape, amp):
    with pytest.raises(KernelError):
        core.subtract(np.ones(shape, np.float32), amp, np.zeros(24), 0.0, np.zeros(shape[0]))


def test_arrays_that_do_not_fit_are_refused():
    sci = chips(8)[0]
    with pytest.raises(ValueError, match="23 column means"):
        core.subtract(sci, 0, np.zeros(23), 0.0, np.zeros(60))
    with pytest.raises(ValueError, match="59 stripes"):
        core.subtract(sci, 0, np.zeros(24), 0.0, np.zeros(59))
    for bad in (np.zeros((0, 80), np.float32), sci[:, ::2], sci.astype(">f4")):
        with pytest.raises(ValueError, match="."):
            core.measure(bad, 0)
