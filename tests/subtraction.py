"""What the kernels that subtract a scaled reference image must all do."""

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from helpers import at_once, read_only, same_bits

SHAPE = (5, 6)
_FLOATS = hnp.arrays(np.float32, SHAPE, elements=st.floats(-1e4, 1e4, width=32))
_ERRORS = hnp.arrays(np.float32, SHAPE, elements=st.floats(0, 1e3, width=32))
IMAGE_SETS = st.tuples(_FLOATS, _ERRORS, hnp.arrays(np.int16, SHAPE))
FACTORS = st.floats(0, 2000, width=32)
BITS = st.sampled_from([0, -1, 16, 31743, -32768])
NOTHING = 0.0, 0
"""The mean before the first part."""


def image_set(seed, shape):
    rng = np.random.default_rng(seed)
    sci, err = rng.normal(10, 3, (2, *shape)).astype(np.float32)
    return sci, np.abs(err), np.where(rng.random(shape) < 0.3, 16, 0).astype(np.int16)


def check_parts(subtract):
    """Parts that are cut between lines give the pixels and the mean of the whole."""
    reference = image_set(1, (50, 300))
    whole, parts = image_set(2, (50, 300)), image_set(2, (50, 300))
    mean = subtract(*whole, *reference, 500.5, -1, NOTHING)
    found = NOTHING
    for rows in (slice(0, 7), slice(7, 40), slice(40, 50)):
        found = subtract(*(plane[rows] for plane in (*parts, *reference)), 500.5, -1, found)
    assert found == mean
    assert all(map(same_bits, parts, whole))


def check_bad_input(subtract):
    """Shapes must agree, nothing is made of nothing, and only the image is written to."""
    image, reference = image_set(1, SHAPE), image_set(2, SHAPE)
    for i in range(6):
        planes = [*image, *reference]
        planes[i] = planes[i][:3]
        with pytest.raises(ValueError, match="shape"):
            subtract(*planes, 1.0, -1, NOTHING)
    empty = [plane[:0] for plane in image]
    assert subtract(*empty, *empty, 1.0, -1, (2.0, 3)) == (2.0, 3)
    subtract(*(plane.copy() for plane in image), *read_only(*reference), 1.0, -1, NOTHING)
    with pytest.raises(ValueError, match="read-only"):
        subtract(*read_only(*image), *reference, 1.0, -1, NOTHING)


def check_threads(subtract, n_thread):
    """Calls on several threads agree."""
    reference = image_set(1, (60, 70))

    def call():
        image = image_set(2, (60, 70))
        mean = subtract(*image, *reference, 3.3, 16, NOTHING)
        return np.append(image[0], np.float64(mean))

    first = call()
    assert all(same_bits(got, first) for got in at_once(n_thread, call))
