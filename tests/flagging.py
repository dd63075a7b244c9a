"""What the kernels that flag pixels by a reference image must all do."""

import numpy as np
import pytest

from helpers import read_only


def check_misfits(flag, shape):
    """Arrays of other shapes, byte orders or strides are refused; `flag(sci, dq, reference)` calls the kernel."""
    sci, dq = np.ones(shape, np.float32), np.zeros(shape, np.int16)
    for bad in (
        (sci[:3], dq, sci),
        (sci, dq, sci[:3]),
        (sci.astype(">f4"), dq, sci),
        (sci, dq, np.ones((shape[0], 2 * shape[1]), np.float32)[:, ::2]),
    ):
        with pytest.raises(ValueError, match="."):
            flag(*bad)


def check_read_only(flag, reference):
    """Only the flags are written to."""
    sci, reference, dq = read_only(np.ones(reference.shape, np.float32), reference, np.zeros(reference.shape, np.int16))
    flag(sci, dq.copy(), reference)
    with pytest.raises(ValueError, match="read-only"):
        flag(sci, dq, reference)
