"""Bias-shift correction: wrapper of csrc/biasshift.c."""
from libc.stddef cimport ptrdiff_t

from calacs._core.common cimport CAL_BIASSHIFT_ROWS, cal_biasshift_correct, check

ROWS = CAL_BIASSHIFT_ROWS


def correct(float[:, ::1] sci, ptrdiff_t n_amp_col, *amps):
    """Correct the pixels of one amplifier, or of two that share no pixel, in place.

    Returns
    -------
    list of (float, float)
        Bias level of each amplifier before and after the correction.
    """
    cdef int[2] amp
    cdef double[4] level
    cdef ptrdiff_t n_amp = len(amps)
    cdef int status
    if sci.size == 0 or not 1 <= n_amp <= 2:
        raise ValueError(f"the image is empty, or {n_amp} amplifiers are not 1 or 2")
    for i in range(n_amp):
        amp[i] = amps[i]
    with nogil:
        status = cal_biasshift_correct(&sci[0, 0], sci.shape[0], sci.shape[1], n_amp_col, amp, n_amp, level)
    check(status)
    return [(level[2 * i], level[2 * i + 1]) for i in range(n_amp)]
