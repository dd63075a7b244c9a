"""Coronagraphic spots: wrapper of csrc/spot.c."""
from libc.stddef cimport ptrdiff_t

from calacs._core.common cimport cal_spot_shift, check, same_float_shape


def shift(const float[:, ::1] spot, float shift_x, float shift_y, ptrdiff_t row_first, float[:, ::1] sci,
          float[:, ::1] err):
    """Fill SCI and ERR with the rows of the shifted image from `row_first` on."""
    cdef int status
    same_float_shape(sci, err)
    if sci.shape[1] != spot.shape[1]:
        raise ValueError(f"rows must have {spot.shape[1]} pixels, not {sci.shape[1]}")
    if sci.size == 0:
        return
    with nogil:
        status = cal_spot_shift(&spot[0, 0], spot.shape[0], spot.shape[1], shift_x, shift_y, row_first,
                                row_first + sci.shape[0], &sci[0, 0], &err[0, 0])
    check(status)
