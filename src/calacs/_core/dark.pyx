"""Dark subtraction: wrapper of csrc/dark.c."""
from libc.stdint cimport int16_t

from calacs._core.common cimport cal_dark_mean, cal_dark_subtract, same_shapes


def subtract(float[:, ::1] sci, float[:, ::1] err, int16_t[:, ::1] dq,
             const float[:, ::1] ref_sci, const float[:, ::1] ref_err, const int16_t[:, ::1] ref_dq,
             float factor, int16_t bad_bits, mean):
    """Subtract a scaled image, in place; return the (sum, count) `mean` with the good pixels of this part added."""
    cdef cal_dark_mean total
    total.sum, total.count = mean
    same_shapes(sci, err, dq, ref_sci, ref_err, ref_dq)
    if sci.size:
        with nogil:
            cal_dark_subtract(&sci[0, 0], &err[0, 0], &dq[0, 0], sci.shape[0] * sci.shape[1], &ref_sci[0, 0],
                              &ref_err[0, 0], &ref_dq[0, 0], factor, bad_bits, &total)
    return total.sum, total.count
