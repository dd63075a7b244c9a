"""Noise model: wrapper of csrc/noise.c."""

from calacs._core.common cimport cal_noise_ccd, cal_quadrants, check, quadrants_of, same_float_shape


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
