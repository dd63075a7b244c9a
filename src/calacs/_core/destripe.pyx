"""Removal of the stripes: wrappers of csrc/destripe.c."""
import numpy as np

from libc.stddef cimport ptrdiff_t

from calacs._core.common cimport CAL_BIAS_COLUMNS, cal_destripe_measure, cal_destripe_subtract, check


def measure(const float[:, ::1] sci, int amp):
    """Bias statistics of one amplifier: (column_mean, level, row_mean, good)."""
    cdef ptrdiff_t n_row = sci.shape[0]
    cdef double[::1] column_mean = np.empty(CAL_BIAS_COLUMNS)
    cdef double[::1] row_mean = np.empty(n_row)
    cdef unsigned char[::1] good = np.empty(n_row, np.uint8)
    cdef double level = 0.0
    cdef int status
    if sci.size == 0:
        raise ValueError("the image is empty")
    with nogil:
        status = cal_destripe_measure(&sci[0, 0], n_row, sci.shape[1], amp, &column_mean[0], &level, &row_mean[0], &good[0])
    check(status)
    return np.asarray(column_mean), level, np.asarray(row_mean), np.asarray(good).view(bool)


def subtract(float[:, ::1] sci, int amp, const double[::1] column_mean, double level, const double[::1] stripe):
    """Subtract pattern, level and stripes from the pixels of one amplifier, in place."""
    cdef int status
    if column_mean.shape[0] != CAL_BIAS_COLUMNS or stripe.shape[0] != sci.shape[0]:
        raise ValueError(f"{column_mean.shape[0]} column means and {stripe.shape[0]} stripes do not fit {sci.shape[0]} rows")
    with nogil:
        status = cal_destripe_subtract(&sci[0, 0], sci.shape[0], sci.shape[1], amp, &column_mean[0], level, &stripe[0])
    check(status)
