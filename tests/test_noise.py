"""Uncertainty of CCD data: kernel against its oracle, properties, bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from calacs._core import noise as core
from calacs.detector import Quadrants
from calacs.errors import KernelError
from helpers import at_once, read_only, same_bits
from oracles import noise as oracle

SHAPE = (5, 6)
VALUES = (4.05, 5.05, 4.35, 3.75)
SIGNAL = hnp.arrays(np.float32, SHAPE, elements=st.floats(-1e5, 1e6, width=32))
ERRORS = hnp.arrays(np.float32, SHAPE, elements=st.floats(0, 1e3, width=32))


@given(SIGNAL, ERRORS, st.integers(0, 6), st.integers(0, 5), st.booleans())
def test_the_kernel_matches_the_oracle(sci, err, col, row, bias):
    quadrants = Quadrants(col, row, VALUES)
    want = oracle.ccd(sci, err, quadrants, bias)
    core.ccd(sci, err, quadrants, bias)
    assert same_bits(err, want)


@given(SIGNAL, ERRORS)
def test_the_uncertainty_is_at_least_that_of_its_parts(sci, err):
    before = err.copy()
    core.ccd(sci, err, Quadrants(3, 2, VALUES), False)
    assert (err >= np.float32(0.999999) * before).all()
    assert (err >= np.float32(0.999999 * min(VALUES))).all()


@given(SIGNAL, ERRORS)
def test_negative_signal_counts_as_none(sci, err):
    first, second = err.copy(), err.copy()
    core.ccd(sci, first, Quadrants(3, 2, VALUES), False)
    core.ccd(np.maximum(sci, 0), second, Quadrants(3, 2, VALUES), False)
    assert same_bits(first, second)


def test_bias_frames_get_the_read_noise_alone():
    err = np.full(SHAPE, 100, np.float32)
    core.ccd(np.full(SHAPE, 1e4, np.float32), err, Quadrants(6, 5, VALUES), True)
    assert (err == np.float32(4.05)).all()


def test_a_nan_stays_where_it_is():
    sci, err = np.ones(SHAPE, np.float32), np.zeros(SHAPE, np.float32)
    sci[1, 1], err[2, 2] = np.nan, np.nan
    core.ccd(sci, err, Quadrants(3, 2, VALUES), False)
    assert np.argwhere(np.isnan(err)).tolist() == [[1, 1], [2, 2]]


@pytest.mark.parametrize("shape", [(0, 0), (1, 1)])
def test_small_images(shape):
    err = np.zeros(shape, np.float32)
    core.ccd(np.zeros(shape, np.float32), err, Quadrants(0, 0, VALUES), False)
    assert (err == np.float32(3.75)).all()


@pytest.mark.parametrize(("col", "row"), [(7, 0), (0, 6), (-1, 0), (0, -1)])
def test_quadrants_outside_the_image_are_refused(col, row):
    with pytest.raises(KernelError):
        core.ccd(np.ones(SHAPE, np.float32), np.ones(SHAPE, np.float32), Quadrants(col, row, VALUES), False)


def test_arrays_that_do_not_fit_are_refused():
    sci = np.ones(SHAPE, np.float32)
    quadrants = Quadrants(3, 2, VALUES)
    for bad in ((sci[:3], sci), (sci, sci.astype(">f4")), (np.ones((5, 12), np.float32)[:, ::2], sci)):
        with pytest.raises(ValueError, match="."):
            core.ccd(*bad, quadrants, False)


def test_the_signal_is_not_written_to():
    sci, err = read_only(np.ones(SHAPE, np.float32), np.ones(SHAPE, np.float32))
    core.ccd(sci, err.copy(), Quadrants(3, 2, VALUES), False)
    with pytest.raises(ValueError, match="read-only"):
        core.ccd(sci, err, Quadrants(3, 2, VALUES), False)


@pytest.mark.parametrize("n_thread", [1, 2, 7])
def test_many_calls_at_once_agree(n_thread):
    sci = np.random.default_rng(0).normal(50, 100, (60, 70)).astype(np.float32)
    quadrants = Quadrants(30, 20, VALUES)

    def call():
        err = np.ones(sci.shape, np.float32)
        core.ccd(sci, err, quadrants, False)
        return err

    want = oracle.ccd(sci, np.ones(sci.shape, np.float32), quadrants, False)
    assert all(same_bits(got, want) for got in at_once(n_thread, call))


@given(hnp.arrays(np.float32, SHAPE, elements=st.floats(-1e4, 1e6, width=32)))
def test_the_noise_of_counts_matches_the_oracle(sci):
    want, n_negative = oracle.counts(sci)
    err = np.zeros(SHAPE, np.float32)
    assert core.counts(sci, err) == n_negative
    assert same_bits(err, want)


def test_negative_counts_are_cut_to_whole_numbers():
    err = np.zeros((1, 6), np.float32)
    assert core.counts(np.float32([[-3.7, -0.4, -16.9, 0, 0.5, np.nan]]), err) == 3
    assert err.tolist() == [[np.sqrt(np.float32(3)), 1, 4, 1, 1, 1]]


def test_only_an_uncertainty_without_any_value_is_blank():
    err = np.zeros(SHAPE, np.float32)
    assert core.is_blank(err)
    for value in (1e-30, np.nan, -1.0):
        err[-1, -1] = value
        assert not core.is_blank(err)
    assert core.is_blank(-np.zeros((1, 1), np.float32))
