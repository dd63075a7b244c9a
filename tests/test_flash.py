"""Post-flash subtraction: kernel against its oracle, properties, bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from calacs._core import flash as core
from helpers import at_once, read_only, same_bits
from oracles import flash as oracle

SHAPE = (5, 6)
FLOATS = hnp.arrays(np.float32, SHAPE, elements=st.floats(-1e4, 1e4, width=32))
ERRORS = hnp.arrays(np.float32, SHAPE, elements=st.floats(0, 1e3, width=32))
FLAGS = hnp.arrays(np.int16, SHAPE)
BITS = st.sampled_from([0, -1, 16, 31743, -32768])


@given(FLOATS, ERRORS, FLAGS, FLOATS, ERRORS, FLAGS, st.floats(0, 2000, width=32), BITS)
def test_the_kernel_matches_the_oracle(sci, err, dq, ref_sci, ref_err, ref_dq, factor, bits):
    want, mean = oracle.subtract(sci, err, dq, ref_sci, ref_err, ref_dq, factor, bits)
    assert core.subtract(sci, err, dq, ref_sci, ref_err, ref_dq, factor, bits, (0.0, 0.0)) == mean
    assert all(map(same_bits, (sci, err, dq), want))


def image_set(seed, shape):
    rng = np.random.default_rng(seed)
    sci, err = rng.normal(10, 3, (2, *shape)).astype(np.float32)
    return sci, np.abs(err), np.where(rng.random(shape) < 0.3, 16, 0).astype(np.int16)


def test_parts_give_the_mean_of_the_whole():
    """The mean is one of lines, so that it may be cut between any of them."""
    flash = image_set(1, (50, 300))
    whole = image_set(2, (50, 300))
    mean = core.subtract(*whole, *flash, 500.5, -1, (0.0, 0.0))
    parts = image_set(2, (50, 300))
    found = 0.0, 0
    for rows in (slice(0, 7), slice(7, 40), slice(40, 50)):
        found = core.subtract(*(plane[rows] for plane in parts), *(plane[rows] for plane in flash), 500.5, -1, found)
    assert found == mean
    assert all(map(same_bits, parts, whole))


def test_bad_input():
    image, flash = image_set(1, SHAPE), image_set(2, SHAPE)
    for i in range(6):
        planes = [*image, *flash]
        planes[i] = planes[i][:3]
        with pytest.raises(ValueError, match="shape"):
            core.subtract(*planes, 1.0, -1, (0.0, 0.0))
    empty = [plane[:0] for plane in image]
    assert core.subtract(*empty, *empty, 1.0, -1, (2.0, 3.0)) == (2.0, 3.0)
    core.subtract(*(plane.copy() for plane in image), *read_only(*flash), 1.0, -1, (0.0, 0.0))
    with pytest.raises(ValueError, match="read-only"):
        core.subtract(*read_only(*image), *flash, 1.0, -1, (0.0, 0.0))


@pytest.mark.parametrize("n_thread", [1, 2, 7])
def test_many_calls_at_once_agree(n_thread):
    flash = image_set(1, (60, 70))

    def call():
        image = image_set(2, (60, 70))
        mean = core.subtract(*image, *flash, 3.3, 16, (0.0, 0.0))
        return np.append(image[0], np.float64(mean))

    first = call()
    assert all(same_bits(got, first) for got in at_once(n_thread, call))
