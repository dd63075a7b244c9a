"""Post-flash subtraction: kernel against its oracle, properties, bad input."""

import pytest
from hypothesis import given

from calacs._core import flash as core
from helpers import same_bits
from oracles import flash as oracle
from subtraction import BITS, FACTORS, IMAGE_SETS, NOTHING, check_bad_input, check_parts, check_threads


@given(IMAGE_SETS, IMAGE_SETS, FACTORS, BITS)
def test_the_kernel_matches_the_oracle(image, flash, factor, bits):
    want, mean = oracle.subtract(*image, *flash, factor, bits)
    assert core.subtract(*image, *flash, factor, bits, NOTHING) == mean
    assert all(map(same_bits, image, want))


def test_parts_give_the_mean_of_the_whole():
    """The mean is one of lines, so that it may be cut between any of them."""
    check_parts(core.subtract)


def test_bad_input():
    check_bad_input(core.subtract)


@pytest.mark.parametrize("n_thread", [1, 2, 7])
def test_many_calls_at_once_agree(n_thread):
    check_threads(core.subtract, n_thread)
