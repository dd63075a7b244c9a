"""Bias-shift correction: wrapper of csrc/biasshift.c."""
from libc.stddef cimport ptrdiff_t

from calacs._core.common cimport CAL_BIASSHIFT_ROWS, cal_biasshift_correct, check

ROWS = CAL_BIASSHIFT_ROWS


def correct(float[:, ::1] sci, ptrdiff_t n_amp_col, int amp):
    """Correct the pixels of one amplifier in place; its bias level before and after the correction."""
    cdef double level[2]
    cdef int status
    if sci.size == 0:
        raise ValueError("the image is empty")
    with nogil:
        status = cal_biasshift_correct(&sci[0, 0], sci.shape[0], sci.shape[1], n_amp_col, amp, level)
    check(status)
    return level[0], level[1]
