"""Full-well flags: kernel against its oracle, flags only added, bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from calacs._core import satur as core
from calacs.dq import DQ
from calacs.errors import KernelError
from flagging import check_misfits, check_read_only
from helpers import at_once, same_bits
from oracles import satur as oracle

SHAPE = (5, 7)
VALUES = hnp.arrays(np.float32, SHAPE, elements=st.sampled_from([0.0, 1.0, 79999.9, 80000.0, 80000.1, np.inf, np.nan]))
PART = st.tuples(st.integers(0, 5), st.integers(0, 5)).map(lambda pair: tuple(sorted(pair)))


@given(VALUES, VALUES, hnp.arrays(np.int16, SHAPE), PART, PART)
def test_the_kernel_matches_the_oracle(sci, level, dq, rows, cols):
    got = dq.copy()
    core.flag(sci, got, level, rows, cols, 256)
    assert same_bits(got, oracle.flag(sci, dq, level, rows, cols, 256))
    assert same_bits(got & dq, dq)


def test_the_level_itself_is_not_saturated():
    sci = np.array([[80000, 80000.01, np.nan]], np.float32)
    dq = np.zeros(sci.shape, np.int16)
    core.flag(sci, dq, np.full(sci.shape, 80000, np.float32), (0, 1), (0, 3), DQ.SATURATED)
    assert dq.tolist() == [[0, 256, 0]]


@pytest.mark.parametrize(
    ("rows", "cols"), [((0, 6), (0, 7)), ((-1, 5), (0, 7)), ((0, 5), (0, 8)), ((3, 2), (0, 7)), ((0, 5), (-2, -1))]
)
def test_parts_outside_the_image_are_refused(rows, cols):
    dq = np.zeros(SHAPE, np.int16)
    with pytest.raises(KernelError) as caught:
        core.flag(np.ones(SHAPE, np.float32), dq, np.zeros(SHAPE, np.float32), rows, cols, 256)
    assert caught.value.code == -2
    assert not dq.any()


@pytest.mark.parametrize("shape", [(0, 0), (1, 1)])
def test_small_images(shape):
    dq = np.zeros(shape, np.int16)
    core.flag(np.ones(shape, np.float32), dq, np.zeros(shape, np.float32), (0, shape[0]), (0, shape[1]), 256)
    assert (dq == 256).all()


def whole(sci, dq, level):
    return core.flag(sci, dq, level, (0, 5), (0, 7), 256)


def test_arrays_that_do_not_fit_are_refused():
    check_misfits(whole, SHAPE)


def test_inputs_are_not_written_to():
    check_read_only(whole, np.zeros(SHAPE, np.float32))


@pytest.mark.parametrize("n_thread", [1, 2, 7])
def test_many_calls_at_once_agree(n_thread):
    rng = np.random.default_rng(0)
    sci, level = rng.random((2, 80, 90), np.float32)

    def call():
        dq = np.zeros(sci.shape, np.int16)
        core.flag(sci, dq, level, (3, 70), (5, 90), 256)
        return dq

    want = oracle.flag(sci, np.zeros(sci.shape, np.int16), level, (3, 70), (5, 90), 256)
    assert all(same_bits(got, want) for got in at_once(n_thread, call))
