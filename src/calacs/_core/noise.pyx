"""Noise model: wrappers of csrc/noise.c."""
from libc.stddef cimport ptrdiff_t

from calacs._core.common cimport (
    cal_noise_ccd, cal_noise_counts, cal_noise_is_blank, cal_quadrants, check, quadrants_of, same_float_shape)


def ccd(const float[:, ::1] sci, float[:, ::1] err, quadrants, bint bias):
    """Add photon and read noise to ERR in quadrature, in place."""
    cdef cal_quadrants values = quadrants_of(quadrants)
    cdef int status
    same_float_shape(sci, err)
    if sci.size == 0:
        return
    with nogil:
        status = cal_noise_ccd(&sci[0, 0], &err[0, 0], sci.shape[0], sci.shape[1], &values, bias)
    check(status)


def is_blank(const float[:, ::1] err):
    """Whether all values are 0."""
    cdef int blank = 1
    if err.size:
        with nogil:
            blank = cal_noise_is_blank(&err[0, 0], err.shape[0] * err.shape[1])
    return blank == 1


def counts(const float[:, ::1] sci, float[:, ::1] err):
    """Set ERR to the square root of SCI, at least 1; return the number of negative pixels."""
    cdef ptrdiff_t n_negative = 0
    same_float_shape(sci, err)
    if sci.size:
        with nogil:
            n_negative = cal_noise_counts(&sci[0, 0], &err[0, 0], sci.shape[0] * sci.shape[1])
    return n_negative
