"""Sink pixels: wrapper of csrc/sink.c."""
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int16_t

from calacs._core.common cimport cal_sink_flag, check, same_float_shape, same_shape


def flag(const float[:, ::1] sci, int16_t[:, ::1] dq, const float[:, ::1] map, bint upward, int16_t flag):
    """Add `flag` to sink pixels and what they spoil, in place; the number of pixels."""
    cdef ptrdiff_t n_flagged = 0
    cdef int status
    same_shape(sci, dq)
    same_float_shape(sci, map)
    if sci.size:
        with nogil:
            status = cal_sink_flag(&sci[0, 0], &dq[0, 0], &map[0, 0], sci.shape[0], sci.shape[1], upward, flag, &n_flagged)
        check(status)
    return n_flagged
