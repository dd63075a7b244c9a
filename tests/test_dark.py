"""Dark subtraction: kernel against its oracle, properties, bad input."""

import pytest
from hypothesis import given

from calacs._core import dark as core
from helpers import same_bits
from oracles import dark as oracle
from subtraction import (
    BITS,
    FACTORS,
    IMAGE_SETS,
    NOTHING,
    SHAPE,
    check_bad_input,
    check_parts,
    check_threads,
    image_set,
)


@given(IMAGE_SETS, IMAGE_SETS, FACTORS, BITS)
def test_the_kernel_matches_the_oracle(image, dark, factor, bits):
    want, mean = oracle.subtract(*image, *dark, factor, bits)
    assert core.subtract(*image, *dark, factor, bits, NOTHING) == mean
    assert all(map(same_bits, image, want))


def test_parts_give_the_mean_of_the_whole():
    """The sum runs pixel by pixel, so that it may be cut anywhere."""
    check_parts(core.subtract)


def test_a_time_of_0_adds_flags_alone():
    sci, err, dq = image_set(3, SHAPE)
    before = sci.copy(), err.copy(), dq.copy()
    dark = image_set(4, SHAPE)
    core.subtract(sci, err, dq, *dark, 0.0, -1, NOTHING)
    assert same_bits(sci, before[0])
    assert same_bits(err, before[1])
    assert same_bits(dq, before[2] | dark[2])


def test_bad_input():
    check_bad_input(core.subtract)


@pytest.mark.parametrize("n_thread", [1, 2, 7])
def test_many_calls_at_once_agree(n_thread):
    check_threads(core.subtract, n_thread)
