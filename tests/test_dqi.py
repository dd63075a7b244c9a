"""Data-quality flags: kernels against their oracle, flags only added, bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from calacs._core import dqi as core
from calacs.dq import DQ
from calacs.errors import KernelError
from calacs.steps.dqi import flag_atod_saturation
from helpers import at_once, read_only, same_bits
from oracles import dqi as oracle

SHAPE = (6, 9)
PLANES = hnp.arrays(np.int16, SHAPE)
RUNS = st.lists(
    st.tuples(
        st.integers(-12, 14),
        st.integers(-12, 14),
        st.integers(1, 20),
        st.sampled_from([1, 2]),
        st.integers(-32768, 32767),
    ),
    max_size=8,
).map(lambda runs: np.array(runs, np.int32).reshape(-1, 5))
OFFSETS = st.sampled_from([0.0, 3.0, -2.0, 0.4, -0.6, 2.5, -500.0])


@given(hnp.arrays(np.float32, SHAPE, elements=st.floats(0, 70000, width=32)), PLANES, st.sampled_from([0, 2300, 65535]))
def test_flag_above_matches_the_oracle(sci, dq, level):
    got = dq.copy()
    core.flag_above(sci, got, level, 2048)
    assert same_bits(got, oracle.flag_above(sci, dq, level, 2048))


@given(PLANES, RUNS, OFFSETS, OFFSETS)
def test_flag_runs_matches_the_oracle(dq, runs, offset_x, offset_y):
    got = dq.copy()
    core.flag_runs(got, runs, offset_x, offset_y)
    assert same_bits(got, oracle.flag_runs(dq, runs, offset_x, offset_y))


@given(PLANES, RUNS, OFFSETS, OFFSETS)
def test_flags_are_only_added(dq, runs, offset_x, offset_y):
    got = dq.copy()
    core.flag_runs(got, runs, offset_x, offset_y)
    assert same_bits(got & dq, dq)
    again = got.copy()
    core.flag_runs(again, runs, offset_x, offset_y)
    assert same_bits(again, got)


@given(PLANES, RUNS, st.randoms(use_true_random=False))
def test_the_order_of_the_runs_does_not_matter(dq, runs, random):
    first, second = dq.copy(), dq.copy()
    core.flag_runs(first, runs, 0.0, 0.0)
    order = list(range(len(runs)))
    random.shuffle(order)
    core.flag_runs(second, np.ascontiguousarray(runs[order]), 0.0, 0.0)
    assert same_bits(first, second)


def test_saturation_includes_its_level():
    sci = np.array([[65534, 65535, 65536, np.nan]], np.float32)
    dq = np.zeros(sci.shape, np.int16)
    flag_atod_saturation(sci, dq, 65535)
    assert dq.tolist() == [[0, DQ.ATOD_SATURATED, DQ.ATOD_SATURATED, 0]]


@pytest.mark.parametrize("run", [(1, 1, 0, 1, 4), (1, 1, -3, 1, 4), (1, 1, 1, 0, 4), (1, 1, 1, 3, 4)])
def test_bad_runs_are_refused(run):
    with pytest.raises(KernelError) as caught:
        core.flag_runs(np.zeros(SHAPE, np.int16), np.array([run], np.int32), 0.0, 0.0)
    assert caught.value.code == -3


@pytest.mark.parametrize(
    "run", [(2**31 - 1, 1, 2**31 - 1, 1, 4), (-(2**31), 1, 2**31 - 1, 1, 4), (1, 2**31 - 1, 5, 2, 4)]
)
def test_enormous_runs_do_no_harm(run):
    dq = np.zeros(SHAPE, np.int16)
    core.flag_runs(dq, np.array([run], np.int32), 0.0, 0.0)
    assert not dq.any()


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (1, 1)])
def test_small_images(shape):
    dq = np.zeros(shape, np.int16)
    core.flag_runs(dq, np.array([(1, 1, 4, 1, 16)], np.int32), 0.0, 0.0)
    core.flag_above(np.ones(shape, np.float32), dq, 1.0, 2048)
    assert (dq == 2064).all()
    core.flag_runs(dq, np.zeros((0, 5), np.int32), 0.0, 0.0)


def test_arrays_that_do_not_fit_are_refused():
    dq = np.zeros(SHAPE, np.int16)
    with pytest.raises(ValueError, match="5 numbers"):
        core.flag_runs(dq, np.zeros((2, 4), np.int32), 0.0, 0.0)
    with pytest.raises(ValueError, match="one shape"):
        core.flag_above(np.zeros((2, 2), np.float32), dq, 0.0, 1)
    with pytest.raises(ValueError, match="."):
        core.flag_above(np.zeros(SHAPE, ">f4"), dq, 0.0, 1)
    with pytest.raises(ValueError, match="."):
        core.flag_runs(np.zeros((6, 18), np.int16)[:, ::2], np.zeros((1, 5), np.int32), 0.0, 0.0)


def test_inputs_are_not_written_to():
    sci, runs, dq = read_only(
        np.ones(SHAPE, np.float32), np.array([(1, 1, 1, 1, 4)], np.int32), np.zeros(SHAPE, np.int16)
    )
    core.flag_above(sci, dq.copy(), 0.0, 1)
    core.flag_runs(dq.copy(), runs, 0.0, 0.0)
    with pytest.raises(ValueError, match="read-only"):
        core.flag_runs(dq, runs, 0.0, 0.0)


@pytest.mark.parametrize("n_thread", [1, 2, 7])
def test_many_calls_at_once_agree(n_thread):
    runs = np.array([(i, i % 90, 1 + i % 30, 1 + i % 2, 1 << i % 15) for i in range(300)], np.int32)

    def call():
        dq = np.zeros((100, 200), np.int16)
        core.flag_runs(dq, runs, 1.0, 2.0)
        return dq

    want = oracle.flag_runs(np.zeros((100, 200), np.int16), runs, 1.0, 2.0)
    assert all(same_bits(got, want) for got in at_once(n_thread, call))
