"""Sink pixels: kernel against its oracle, invariances, bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from calacs._core import sink as core
from flagging import check_misfits, check_read_only
from helpers import at_once, same_bits
from oracles import sink as oracle

SHAPE = (12, 4)
CODES = hnp.arrays(np.float32, SHAPE, elements=st.sampled_from([0.0, -1.0, -1.5, -40.0, 5.0, 60.0, 999.0, np.nan]))
SIGNAL = hnp.arrays(np.float32, SHAPE, elements=st.sampled_from([-3.0, 0.0, 4.0, 5.0, 6.0, 70.0, 2000.0, np.nan]))


def flag(sci, dq, codes, upward, value):
    """Flag a whole image."""
    n_col = sci.shape[1] if sci.ndim == 2 else 0
    return core.flag(sci, dq, codes, upward, value, np.zeros(n_col, np.uint8), np.zeros(n_col, np.float32))


@given(SIGNAL, hnp.arrays(np.int16, SHAPE), CODES, st.booleans())
def test_the_kernel_matches_the_oracle(sci, dq, codes, upward):
    got = dq.copy()
    n = flag(sci, got, codes, upward, 1024)
    want, want_n = oracle.flag(sci, dq, codes, upward, 1024)
    assert same_bits(got, want)
    assert n == want_n
    assert same_bits(got & dq, dq)


@given(SIGNAL, CODES, st.booleans(), st.integers(0, SHAPE[0]))
def test_trails_go_on_from_one_block_of_rows_to_the_next(sci, codes, upward, cut):
    want, dq = np.zeros(SHAPE, np.int16), np.zeros(SHAPE, np.int16)
    n = flag(sci, want, codes, upward, 1024)
    state = np.zeros(SHAPE[1], np.uint8), np.zeros(SHAPE[1], np.float32)
    blocks = slice(0, cut), slice(cut, None)
    for rows in blocks if upward else reversed(blocks):
        n -= core.flag(sci[rows], dq[rows], codes[rows], upward, 1024, *state)
    assert n == 0
    assert same_bits(dq, want)


def test_wide_images():
    rng = np.random.default_rng(1)
    sci = rng.normal(50, 40, (40, 200)).astype(np.float32)
    codes = rng.choice([0.0] * 200 + [-1, -30, 60, 999], sci.shape).astype(np.float32)
    dq = np.zeros(sci.shape, np.int16)
    n = flag(sci, dq, codes, True, 1024)
    want, want_n = oracle.flag(sci, np.zeros(sci.shape, np.int16), codes, True, 1024)
    assert n == want_n > 0
    assert same_bits(dq, want)


def test_states_that_do_not_fit_are_refused():
    sci, dq = np.zeros(SHAPE, np.float32), np.zeros(SHAPE, np.int16)
    for n_trail, n_signal in ((3, 4), (4, 3)):
        with pytest.raises(ValueError, match="do not fit 4 columns"):
            core.flag(sci, dq, sci, True, 1024, np.zeros(n_trail, np.uint8), np.zeros(n_signal, np.float32))


@given(SIGNAL, CODES)
def test_downward_is_upward_in_the_mirror(sci, codes):
    up, down = np.zeros(SHAPE, np.int16), np.zeros(SHAPE, np.int16)
    flag(sci, up, codes, True, 1024)
    flag(sci[::-1].copy(), down, codes[::-1].copy(), False, 1024)
    assert same_bits(down[::-1].copy(), up)


@given(SIGNAL, CODES, st.permutations(range(4)))
def test_columns_are_independent(sci, codes, order):
    plain, shuffled = np.zeros(SHAPE, np.int16), np.zeros(SHAPE, np.int16)
    flag(sci, plain, codes, True, 1024)
    flag(sci[:, order].copy(), shuffled, codes[:, order].copy(), True, 1024)
    assert same_bits(shuffled, plain[:, order].copy())


def test_a_sink_and_its_trail():
    """Neighbor, sink, and upstream pixels as long as their threshold is above the signal in the sink."""
    codes = np.array([0, -1, -40, 999, 300, 100, 60, 0, 60], np.float32)[:, None]
    sci = np.full(codes.shape, 150, np.float32)
    dq = np.zeros(codes.shape, np.int16)
    assert flag(sci, dq, codes, True, 1024) == 4
    assert (dq[:, 0] // 1024).tolist() == [0, 1, 1, 1, 1, 0, 0, 0, 0]


def test_thresholds_without_a_sink_mean_nothing():
    dq = np.zeros((3, 1), np.int16)
    assert flag(np.zeros((3, 1), np.float32), dq, np.full((3, 1), 999, np.float32), True, 1024) == 0
    assert not dq.any()


@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (4, 0), (1, 1)])
def test_small_images(shape):
    dq = np.zeros(shape, np.int16)
    assert flag(np.zeros(shape, np.float32), dq, np.full(shape, -5, np.float32), True, 1024) == dq.size


def whole(sci, dq, codes):
    return flag(sci, dq, codes, True, 1024)


def test_arrays_that_do_not_fit_are_refused():
    check_misfits(whole, SHAPE)


def test_inputs_are_not_written_to():
    check_read_only(whole, np.full(SHAPE, -2, np.float32))


@pytest.mark.parametrize("n_thread", [1, 2, 7])
def test_many_calls_at_once_agree(n_thread):
    rng = np.random.default_rng(0)
    sci = rng.normal(50, 40, (60, 50)).astype(np.float32)
    codes = rng.choice([0, 0, -1, -30, 60, 999], sci.shape).astype(np.float32)

    def call():
        dq = np.zeros(sci.shape, np.int16)
        flag(sci, dq, codes, False, 1024)
        return dq

    want, _ = oracle.flag(sci, np.zeros(sci.shape, np.int16), codes, False, 1024)
    assert all(same_bits(got, want) for got in at_once(n_thread, call))
