"""Cross-talk: kernel against its oracle, bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from calacs._core import crosstalk as core
from calacs.steps.crosstalk import correct_crosstalk
from helpers import at_once, same_bits
from oracles import crosstalk as oracle

IMAGES = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.floats(-1e6, 1e6, width=32)
)


@given(IMAGES)
def test_the_kernel_matches_the_oracle(sci):
    want = oracle.correct(sci)
    core.correct(sci)
    assert same_bits(sci, want)


def test_the_right_half_sees_the_corrected_left_half():
    sci = np.array([[0, 0, 0, 1e5]], np.float32)
    correct_crosstalk(sci)
    left = np.float32(1e5 * 9.1e-5)
    assert sci[0, 0] == left
    assert sci[0, 3] == np.float32(1e5) + np.float32(float(left) * 9.1e-5)


@given(IMAGES, st.data())
def test_rows_are_independent(sci, data):
    order = data.draw(st.permutations(range(len(sci))))
    shuffled = sci[order].copy()
    core.correct(sci)
    core.correct(shuffled)
    assert same_bits(shuffled, sci[order])


@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (4, 0)])
def test_empty_images_are_fine(shape):
    core.correct(np.zeros(shape, np.float32))


def test_a_nan_stays_in_its_pair():
    sci = np.ones((2, 6), np.float32)
    sci[0, 1] = np.nan
    core.correct(sci)
    assert np.argwhere(np.isnan(sci)).tolist() == [[0, 1], [0, 4]]


def test_strided_swapped_and_read_only_arrays_are_refused():
    sci = np.ones((4, 6), np.float32)
    locked = sci.copy()
    locked.setflags(write=False)
    for bad in (sci[:, ::2], sci.astype(">f4"), sci.astype(float), locked):
        with pytest.raises(ValueError, match="."):
            core.correct(bad)


@pytest.mark.parametrize("n_thread", [1, 2, 7])
def test_many_calls_at_once_agree(n_thread):
    sci = np.random.default_rng(0).normal(0, 1e4, (50, 40)).astype(np.float32)

    def call():
        copy = sci.copy()
        core.correct(copy)
        return copy

    want = oracle.correct(sci)
    assert all(same_bits(got, want) for got in at_once(n_thread, call))
