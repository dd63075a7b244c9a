"""Counting losses: kernels against their oracle, properties, bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from calacs._core import nonlin as core
from calacs.errors import KernelError
from calacs.steps.nonlin import flag_fast_pixels, linearity_ratio
from helpers import at_once, read_only, same_bits
from oracles import nonlin as oracle

SHAPE = (7, 9)
COUNTS = hnp.arrays(np.float32, SHAPE, elements=st.floats(-10, 110, width=32))
FLAGS = hnp.arrays(np.int16, SHAPE)


@given(st.floats(-10, 2e6), st.floats(0, 2e-7))
def test_the_ratio_matches_the_oracle(rate, tau):
    assert linearity_ratio(rate, tau) == pytest.approx(oracle.ratio(rate, tau), rel=1e-14)


@given(st.floats(1.0, 1e5), st.floats(1e-9, 1e-7))
def test_the_ratio_undoes_the_loss(true, tau):
    observed = true * np.exp(-tau * true)
    assert linearity_ratio(observed, tau) * observed == pytest.approx(true, rel=1e-9)


@pytest.mark.parametrize("rate", [0.0, -5.0])
def test_no_rate_no_correction(rate):
    assert linearity_ratio(rate, 1e-7) == 1.0


@given(COUNTS, FLAGS, st.sampled_from([0.0, 0.4, 0.5, 1.0, 1.5, 2.3, 20.0]))
def test_flags_match_the_oracle(sci, dq, radius):
    want, n_above = oracle.flag(sci, dq, 100.0, radius, 256)
    before = dq.copy()
    assert flag_fast_pixels(sci, dq, 100.0, radius) == n_above
    assert same_bits(dq, want)
    assert same_bits(dq & before, before)


def test_the_limit_is_compared_in_double():
    sci, dq = np.float32([[0.1]]), np.zeros((1, 1), np.int16)
    assert flag_fast_pixels(sci, dq, 0.1, 0.0) == 1  # the float nearest to 0.1 is above it
    assert flag_fast_pixels(sci, dq, float(sci[0, 0]), 0.0) == 0


def test_bad_input():
    sci, dq = np.ones(SHAPE, np.float32), np.zeros(SHAPE, np.int16)
    with pytest.raises(ValueError, match="shape"):
        core.flag(sci[:3], dq, 1.0, 1.0, 256)
    with pytest.raises(KernelError):
        core.flag(sci, dq, 1.0, 1e30, 256)
    assert core.flag(np.ones((0, 0), np.float32), np.ones((0, 0), np.int16), 1.0, 1.0, 256) == 0
    frozen, flags = read_only(sci, dq)
    assert core.flag(frozen, dq, 0.5, 1.0, 256) == sci.size
    with pytest.raises(ValueError, match="read-only"):
        core.flag(sci, flags, 0.5, 1.0, 256)


@pytest.mark.parametrize("n_thread", [1, 2, 7])
def test_many_calls_at_once_agree(n_thread):
    sci = np.random.default_rng(0).normal(50, 20, (40, 30)).astype(np.float32)

    def call():
        dq = np.zeros(sci.shape, np.int16)
        core.flag(sci, dq, 100.0, 2.5, 256)
        return dq

    assert all(
        same_bits(got, oracle.flag(sci, dq0, 100.0, 2.5, 256)[0])
        for dq0 in [np.zeros(sci.shape, np.int16)]
        for got in at_once(n_thread, call)
    )
