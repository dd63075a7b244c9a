"""Sink pixels: wrapper of csrc/sink.c."""
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int16_t

from calacs._core.common cimport cal_sink_flag, same_float_shape, same_shape


def flag(const float[:, ::1] sci, int16_t[:, ::1] dq, const float[:, ::1] map, bint upward, int16_t flag,
         unsigned char[::1] trailing, float[::1] sink):
    """Add `flag` to sink pixels and what they spoil, in place; the number of pixels.

    The trail that goes on in each column, and the signal in its sink pixel, are kept for the rows that come next.
    """
    cdef ptrdiff_t n_flagged = 0
    same_shape(sci, dq)
    same_float_shape(sci, map)
    if trailing.shape[0] != sci.shape[1] or sink.shape[0] != sci.shape[1]:
        raise ValueError(f"{trailing.shape[0]} trails and {sink.shape[0]} signals do not fit {sci.shape[1]} columns")
    if sci.size:
        with nogil:
            n_flagged = cal_sink_flag(&sci[0, 0], &dq[0, 0], &map[0, 0], sci.shape[0], sci.shape[1], upward, flag,
                                      &trailing[0], &sink[0])
    return n_flagged
