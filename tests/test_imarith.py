"""Image arithmetic: kernels against their oracle, bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from calacs._core import imarith as core
from calacs.detector import Quadrants
from calacs.errors import KernelError
from helpers import at_once, read_only, same_bits, same_values
from oracles import imarith as oracle

SHAPE = (5, 6)
FLOATS = hnp.arrays(np.float32, SHAPE, elements=st.floats(-1e6, 1e6, width=32))
ERRORS = hnp.arrays(np.float32, SHAPE, elements=st.floats(0, 1e6, width=32))
FLAGS = hnp.arrays(np.int16, SHAPE)
GAIN = Quadrants(3, 2, (2.017, 2.011, 2.02, 1.886))


@given(FLOATS, ERRORS, st.integers(0, 6), st.integers(0, 5))
def test_gain_matches_the_oracle(sci, err, col, row):
    gain = Quadrants(col, row, GAIN.values)
    want_sci, want_err = oracle.gain(sci, err, gain)
    core.gain(sci, err, gain)
    assert same_bits(sci, want_sci)
    assert same_bits(err, want_err)


@given(FLOATS, ERRORS, FLAGS, FLOATS, ERRORS, FLAGS)
def test_subtract_matches_the_oracle(sci, err, dq, ref_sci, ref_err, ref_dq):
    want = oracle.subtract(sci, err, dq, ref_sci, ref_err, ref_dq)
    before = dq.copy()
    core.subtract(sci, err, dq, ref_sci, ref_err, ref_dq)
    assert all(map(same_bits, (sci, err, dq), want))
    assert same_bits(dq & before, before)


@given(FLOATS, ERRORS, FLAGS)
def test_zero_changes_nothing(sci, err, dq):
    before = sci.copy(), err.copy(), dq.copy()
    zero = np.zeros(SHAPE, np.float32)
    core.subtract(sci, err, dq, zero, zero, np.zeros(SHAPE, np.int16))
    assert np.array_equal(sci, before[0])
    assert np.allclose(err, before[1], rtol=1e-6, atol=1e-18)
    assert same_bits(dq, before[2])


def test_errors_are_rounded_in_single_precision():
    one = np.array([[np.float32(1.1)]])
    err = np.array([[np.float32(4.35)]])
    core.subtract(one.copy(), err, np.zeros((1, 1), np.int16), one, one, np.zeros((1, 1), np.int16))
    square = np.float32(np.float32(4.35) * np.float32(4.35)) + np.float32(np.float32(1.1) * np.float32(1.1))
    assert err[0, 0] == np.sqrt(square)


def test_nan_and_infinity_pass_through():
    sci = np.array([[np.nan, np.inf, 1.0]], np.float32)
    err = np.array([[1.0, np.nan, np.inf]], np.float32)
    zero = np.zeros((1, 3), np.float32)
    core.subtract(sci, err, np.zeros((1, 3), np.int16), zero, zero, np.zeros((1, 3), np.int16))
    assert np.array_equal(sci, np.array([[np.nan, np.inf, 1]], np.float32), equal_nan=True)
    assert np.array_equal(err, np.array([[1, np.nan, np.inf]], np.float32), equal_nan=True)


@pytest.mark.parametrize(
    "quadrants", [Quadrants(7, 2, GAIN.values), Quadrants(3, 6, GAIN.values), Quadrants(-1, 0, GAIN.values)]
)
def test_quadrants_outside_the_image_are_refused(quadrants):
    sci = np.ones(SHAPE, np.float32)
    with pytest.raises(KernelError):
        core.gain(sci, sci.copy(), quadrants)
    assert (sci == 1).all()


@pytest.mark.parametrize("shape", [(0, 0), (1, 1)])
def test_small_images(shape):
    sci, err, dq = np.ones(shape, np.float32), np.ones(shape, np.float32), np.ones(shape, np.int16)
    core.gain(sci, err, Quadrants(0, 0, (9.0, 9.0, 9.0, 2.0)))
    assert (sci == 2).all()
    core.subtract(sci, err, dq, sci.copy(), err.copy(), dq.copy())
    assert (sci == 0).all()


def test_arrays_that_do_not_fit_are_refused():
    sci, err, dq = np.ones(SHAPE, np.float32), np.ones(SHAPE, np.float32), np.zeros(SHAPE, np.int16)
    arrays = [sci, err, dq, sci.copy(), err.copy(), dq.copy()]
    for i in range(6):
        bad = arrays.copy()
        bad[i] = bad[i][:3].copy()
        with pytest.raises(ValueError, match="one shape"):
            core.subtract(*bad)
        for spoil in (lambda a: a.astype(a.dtype.newbyteorder()), lambda a: np.repeat(a, 2, axis=1)[:, ::2]):
            bad[i] = spoil(arrays[i])
            with pytest.raises(ValueError, match="contiguous|endian"):
                core.subtract(*bad)
    with pytest.raises(ValueError, match="one shape"):
        core.gain(sci, err[:2], GAIN)


def test_references_are_not_written_to():
    ref = read_only(np.ones(SHAPE, np.float32), np.ones(SHAPE, np.float32), np.ones(SHAPE, np.int16))
    core.subtract(ref[0].copy(), ref[1].copy(), ref[2].copy(), *ref)
    with pytest.raises(ValueError, match="read-only"):
        core.subtract(*ref, *ref)


@pytest.mark.parametrize("n_thread", [1, 2, 7])
def test_many_calls_at_once_agree(n_thread):
    rng = np.random.default_rng(0)
    sci, err = rng.random((2, 60, 70), np.float32)

    def call():
        out = sci.copy(), err.copy()
        core.gain(*out, Quadrants(30, 20, GAIN.values))
        return out

    want = oracle.gain(sci, err, Quadrants(30, 20, GAIN.values))
    assert all(same_bits(a, b) for got in at_once(n_thread, call) for a, b in zip(got, want, strict=True))


SIGNED = hnp.arrays(np.float32, SHAPE, elements=st.one_of(st.floats(-100, 100, width=32), st.just(0.0)))


@given(FLOATS, ERRORS, FLAGS, SIGNED, ERRORS, FLAGS)
def test_divide_matches_the_oracle(sci, err, dq, ref_sci, ref_err, ref_dq):
    want = oracle.divide(sci, err, dq, ref_sci, ref_err, ref_dq, 512)
    core.divide(sci, err, dq, ref_sci, ref_err, ref_dq, 512)
    assert all(map(same_values, (sci, err, dq), want))


def test_what_is_divided_by_zero_stays_and_is_flagged():
    sci, err, dq = np.float32([[5, 6]]), np.float32([[1, 2]]), np.int16([[1, 2]])
    core.divide(sci, err, dq, np.float32([[0, 2]]), np.float32([[9, 0]]), np.int16([[4, 8]]), 512)
    assert sci.tolist() == [[5, 3]]
    assert err.tolist() == [[1, 1]]
    assert dq.tolist() == [[1 | 4 | 512, 2 | 8]]


@given(FLOATS, ERRORS, FLAGS, SIGNED, ERRORS, FLAGS)
def test_multiply_matches_the_oracle(sci, err, dq, ref_sci, ref_err, ref_dq):
    want = oracle.multiply(sci, err, dq, ref_sci, ref_err, ref_dq)
    core.multiply(sci, err, dq, ref_sci, ref_err, ref_dq)
    assert all(map(same_values, (sci, err, dq), want))


@given(FLOATS, ERRORS, st.floats(0, 100, width=32))
def test_scale_multiplies_values_and_errors(sci, err, factor):
    want = sci * np.float32(factor), err * np.float32(factor)
    core.scale(sci, err, factor)
    assert all(map(same_bits, (sci, err), want))


@pytest.mark.parametrize("name", ["multiply", "divide"])
def test_images_of_another_shape_are_refused_as_factors(name):
    arguments = {"multiply": (), "divide": (512,)}[name]
    one, flags = np.ones(SHAPE, np.float32), np.zeros(SHAPE, np.int16)
    with pytest.raises(ValueError, match="shape"):
        getattr(core, name)(one.copy(), one.copy(), flags.copy(), one[:3], one, flags, *arguments)
    frozen = read_only(one, one, flags)
    with pytest.raises(ValueError, match="read-only"):
        getattr(core, name)(*frozen, one, one, flags, *arguments)
    getattr(core, name)(one.copy(), one.copy(), flags.copy(), *frozen, *arguments)


@pytest.mark.parametrize("n_thread", [1, 2, 7])
def test_many_divisions_at_once_agree(n_thread):
    rng = np.random.default_rng(3)
    planes = rng.normal(100, 10, (4, 70, 50)).astype(np.float32)
    flags = rng.integers(0, 999, (2, 70, 50)).astype(np.int16)

    def call():
        sci, err, dq = planes[0].copy(), planes[1].copy(), flags[0].copy()
        core.divide(sci, err, dq, planes[2], planes[3], flags[1], 512)
        return np.concatenate([sci, err, dq])

    first = call()
    assert all(same_bits(got, first) for got in at_once(n_thread, call))
