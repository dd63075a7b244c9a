"""Statistics of good pixels: kernel against its oracle, what counts as good, cards."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from calacs._core import stat as core
from calacs.steps.stat import statistics_of
from helpers import at_once, read_only
from oracles import stat as oracle

SHAPE = (5, 6)
FLOATS = hnp.arrays(np.float32, SHAPE, elements=st.floats(-1e6, 1e6, width=32))
ERRORS = hnp.arrays(np.float32, SHAPE, elements=st.floats(-1, 1e3, width=32))
FLAGS = hnp.arrays(np.int16, SHAPE, elements=st.sampled_from([0, 0, 0, 16, 512, -32768]))


@given(FLOATS, ERRORS, FLAGS, st.sampled_from([0, -1, 16, 528]))
def test_the_kernel_matches_the_oracle(sci, err, dq, bits):
    assert core.good(sci, err, dq, bits) == oracle.good(sci, err, dq, bits)


def test_the_sums_run_in_raster_order():
    rng = np.random.default_rng(5)
    sci = (10.0 ** rng.uniform(-6, 6, (200, 100)) * rng.choice([-1, 1], (200, 100))).astype(np.float32)
    err, dq = np.abs(sci) + 1, np.zeros(sci.shape, np.int16)
    assert core.good(sci, err, dq, -1) == oracle.good(sci, err, dq, -1)


@pytest.mark.parametrize("place", [(0, 0), (2, 3)])
def test_nan_spoils_the_mean_and_the_extremes_only_if_it_comes_first(place):
    sci, err, dq = np.arange(30, dtype=np.float32).reshape(SHAPE), np.ones(SHAPE, np.float32), np.zeros(SHAPE, np.int16)
    sci[place] = np.nan
    found = statistics_of(sci, err, dq, -1)
    assert found.n_good == 30
    assert math.isnan(found.sci.mean)
    assert math.isnan(found.sci.min) == math.isnan(found.sci.max) == (place == (0, 0))
    assert (found.err.min, found.err.max, found.err.mean) == (1, 1, 1)


def test_no_good_pixel():
    one = np.ones(SHAPE, np.float32)
    flagged = statistics_of(one, one, np.full(SHAPE, 4, np.int16), 4)
    assert (flagged.n_good, flagged.n_no_error, flagged.sci) == (0, 0, None)
    no_error = statistics_of(one, -one, np.full(SHAPE, 4, np.int16), 3)
    assert (no_error.n_good, no_error.n_no_error) == (0, 30)
    nothing = statistics_of(one[:0], one[:0], np.zeros((0, 6), np.int16), -1)
    assert nothing.n_good == 0


def test_bad_input():
    sci, dq = np.ones(SHAPE, np.float32), np.zeros(SHAPE, np.int16)
    with pytest.raises(ValueError, match="shape"):
        core.good(sci, sci[:2], dq, -1)
    with pytest.raises(ValueError, match="shape"):
        core.good(sci, sci, dq[:2], -1)
    core.good(*read_only(sci, sci, dq), -1)


@pytest.mark.parametrize("n_thread", [1, 2, 7])
def test_many_calls_at_once_agree(n_thread):
    rng = np.random.default_rng(1)
    sci, err = rng.normal(100, 50, (2, 60, 70)).astype(np.float32)
    dq = np.zeros(sci.shape, np.int16)
    want = oracle.good(sci, err, dq, -1)
    assert all(got == want for got in at_once(n_thread, lambda: core.good(sci, err, dq, -1)))
