"""Full-well saturation: wrapper of csrc/satur.c."""
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int16_t

from calacs._core.common cimport cal_satur_flag, check, same_float_shape, same_shape


def flag(const float[:, ::1] sci, int16_t[:, ::1] dq, const float[:, ::1] level, rows, cols, int16_t flag):
    """Add `flag` where sci > level inside rows x cols (half-open), in place; the number of these pixels."""
    cdef ptrdiff_t row_first, row_last, col_first, col_last
    cdef ptrdiff_t n_flagged = 0
    cdef int status
    row_first, row_last = rows
    col_first, col_last = cols
    same_shape(sci, dq)
    same_float_shape(sci, level)
    if sci.size == 0:
        return 0
    with nogil:
        status = cal_satur_flag(&sci[0, 0], &dq[0, 0], &level[0, 0], sci.shape[0], sci.shape[1], row_first, row_last,
                                col_first, col_last, flag, &n_flagged)
    check(status)
    return n_flagged
