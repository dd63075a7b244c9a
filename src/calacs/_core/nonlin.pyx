"""Counting losses: wrappers of csrc/nonlin.c."""
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int16_t

from calacs._core.common cimport cal_nonlin_flag, cal_nonlin_ratio, check, same_shape


def ratio(double rate, double tau):
    """True over observed count rate."""
    return cal_nonlin_ratio(rate, tau)


def flag(const float[:, ::1] sci, int16_t[:, ::1] dq, double limit, float radius, int16_t flag):
    """Add `flag` within `radius` of pixels above `limit`, in place; return the number of such pixels."""
    cdef ptrdiff_t n_above = 0
    cdef int status
    same_shape(sci, dq)
    if sci.size == 0:
        return 0
    with nogil:
        status = cal_nonlin_flag(&sci[0, 0], &dq[0, 0], sci.shape[0], sci.shape[1], limit, radius, flag, &n_above)
    check(status)
    return n_above
