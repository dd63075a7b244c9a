"""Shutter shading: wrappers of csrc/shad.c."""
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int16_t

from calacs._core.common cimport cal_shad_binned, cal_shad_divisor, cal_shad_expand, check, same_float_shape, same_shape


def expand(const float[:, ::1] ref_sci, const float[:, ::1] ref_err, const int16_t[:, ::1] ref_dq, ratio,
           ptrdiff_t row_first, ptrdiff_t col_first, float[:, ::1] sci, float[:, ::1] err, int16_t[:, ::1] dq):
    """Fill SCI, ERR and DQ with the part of the expanded image that starts at `row_first` and `col_first`."""
    cdef cal_shad_binned binned
    cdef int status
    same_float_shape(ref_sci, ref_err)
    same_shape(ref_sci, ref_dq)
    same_float_shape(sci, err)
    same_shape(sci, dq)
    if sci.size == 0 or ref_sci.size == 0:
        return
    binned.sci, binned.err, binned.dq = &ref_sci[0, 0], &ref_err[0, 0], &ref_dq[0, 0]
    binned.n_row, binned.n_col = ref_sci.shape[0], ref_sci.shape[1]
    binned.x, binned.y = ratio
    with nogil:
        status = cal_shad_expand(&binned, row_first, row_first + sci.shape[0], col_first, col_first + sci.shape[1],
                                 &sci[0, 0], &err[0, 0], &dq[0, 0])
    check(status)


def divisor(float[:, ::1] sci, float[:, ::1] err, float rate):
    """Turn shading times into factors of the exposure time 1 / `rate`, in place."""
    same_float_shape(sci, err)
    if sci.size:
        with nogil:
            cal_shad_divisor(&sci[0, 0], &err[0, 0], sci.shape[0] * sci.shape[1], rate)
