"""Shutter shading: expansion against its oracle, properties, bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calacs._core import shad as core
from calacs.errors import KernelError
from helpers import at_once, read_only, same_values
from oracles import shad as oracle


def image_set(seed, shape):
    rng = np.random.default_rng(seed)
    sci, err = rng.normal(0.01, 0.003, (2, *shape)).astype(np.float32)
    return sci, np.abs(err), rng.choice([0, 0, 1, 2, 4, 8], shape).astype(np.int16)


def part(binned, ratio, rows, cols):
    shape = rows.stop - rows.start, cols.stop - cols.start
    out = np.empty(shape, np.float32), np.empty(shape, np.float32), np.empty(shape, np.int16)
    core.expand(*binned, ratio, rows.start, cols.start, *out)
    return out


@pytest.mark.parametrize("ratio", [(1, 1), (4, 1), (1, 4), (8, 8), (8, 4), (2, 2), (3, 2), (5, 3)])
def test_the_expansion_matches_the_oracle(ratio):
    binned = image_set(1, (6, 5))
    x, y = ratio
    got = part(binned, ratio, slice(0, 6 * y), slice(0, 5 * x))
    assert all(map(same_values, got, oracle.expand(*binned, x, y)))


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 100))
def test_a_part_is_that_of_the_whole(x, y, seed):
    rng = np.random.default_rng(seed)
    binned = image_set(seed, (4, 7))
    whole = oracle.expand(*binned, x, y)
    top, right = rng.integers(1, 4 * y + 1), rng.integers(1, 7 * x + 1)
    rows, cols = slice(rng.integers(0, top), top), slice(rng.integers(0, right), right)
    got = part(binned, (x, y), rows, cols)
    assert all(same_values(one, plane[rows, cols]) for one, plane in zip(got, whole, strict=True))


def test_a_plane_stays_a_plane_within_each_pair_of_rows():
    y, x = np.mgrid[0:2, 0:8].astype(np.float32)
    binned = (x + 10 * y, np.zeros_like(x), np.zeros(x.shape, np.int16))
    sci, _, _ = part(binned, (4, 2), slice(0, 4), slice(0, 32))
    row, col = (np.arange(4) - 0.5) / 2, (np.arange(32) - 1.5) / 4
    assert np.allclose(sci, col + 10 * row[:, None], atol=1e-5)


def test_the_divisor():
    sci, err = np.float32([[0.5, -1.0]]), np.float32([[0.1, 0.2]])
    core.divisor(sci, err, 0.1)
    rate = np.float32(0.1)
    assert sci.tolist() == (rate * np.float32([[0.5, -1.0]]) + np.float32(1)).tolist()
    assert err.tolist() == (rate * np.float32([[0.1, 0.2]])).tolist()


@pytest.mark.parametrize(
    ("shape", "ratio", "rows", "cols"),
    [
        ((3, 4), (2, 2), slice(0, 2), slice(0, 2)),  # no whole pairs
        ((4, 1), (2, 2), slice(0, 2), slice(0, 2)),  # nothing to interpolate between
        ((4, 4), (0, 2), slice(0, 2), slice(0, 2)),
        ((4, 4), (2, 2), slice(7, 9), slice(0, 2)),
        ((4, 4), (2, 2), slice(0, 2), slice(7, 9)),
        ((4, 4), (2, 2), slice(-1, 2), slice(0, 2)),
    ],
)
def test_what_cannot_be_expanded_is_refused(shape, ratio, rows, cols):
    with pytest.raises(KernelError):
        part(image_set(1, shape), ratio, rows, cols)


def test_bad_input():
    sci, err, dq = image_set(1, (4, 4))
    out = sci.copy(), err.copy(), dq.copy()
    with pytest.raises(ValueError, match="shape"):
        core.expand(sci, err[:2], dq, (2, 2), 0, 0, *out)
    with pytest.raises(ValueError, match="shape"):
        core.expand(sci, err, dq, (2, 2), 0, 0, out[0], out[1], out[2][:2])
    with pytest.raises(ValueError, match="read-only"):
        core.expand(sci, err, dq, (2, 2), 0, 0, *read_only(*out))
    core.expand(*read_only(sci, err, dq), (2, 2), 0, 0, *out)


@pytest.mark.parametrize("n_thread", [1, 2, 7])
def test_many_calls_at_once_agree(n_thread):
    binned = image_set(1, (6, 9))
    want = oracle.expand(*binned, 3, 2)
    for got in at_once(n_thread, lambda: part(binned, (3, 2), slice(0, 12), slice(0, 27))):
        assert all(map(same_values, got, want))
