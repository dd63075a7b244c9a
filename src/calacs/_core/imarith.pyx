"""Image arithmetic: wrappers of csrc/imarith.c."""
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int16_t

from calacs._core.common cimport (
    cal_imarith_crop, cal_imarith_divide, cal_imarith_gain, cal_imarith_multiply, cal_imarith_root, cal_imarith_scale,
    cal_imarith_square, cal_imarith_subtract, cal_imarith_sum, cal_quadrants, check, quadrants_of, same_float_shape,
    same_shape, same_shapes)


def crop(unsigned char[:, ::1] image, rows, cols):
    """Move the part rows x cols (half-open, in bytes) to the front of the memory of an image of bytes."""
    cdef ptrdiff_t row_first, row_last, byte_first, byte_last
    cdef int status
    row_first, row_last = rows
    byte_first, byte_last = cols
    if image.size == 0:
        return
    with nogil:
        status = cal_imarith_crop(&image[0, 0], image.shape[0], image.shape[1], row_first, row_last, byte_first, byte_last)
    check(status)


def gain(float[:, ::1] sci, float[:, ::1] err, quadrants):
    """Multiply SCI and ERR by one gain per quadrant, in place."""
    cdef cal_quadrants values = quadrants_of(quadrants)
    cdef int status
    same_float_shape(sci, err)
    if sci.size == 0:
        return
    with nogil:
        status = cal_imarith_gain(&sci[0, 0], &err[0, 0], sci.shape[0], sci.shape[1], &values)
    check(status)


def scale(float[:, ::1] sci, float[:, ::1] err, float factor):
    """Multiply SCI and ERR by a factor, in place."""
    same_float_shape(sci, err)
    if sci.size:
        with nogil:
            cal_imarith_scale(&sci[0, 0], &err[0, 0], sci.shape[0] * sci.shape[1], factor)


def subtract(float[:, ::1] sci, float[:, ::1] err, int16_t[:, ::1] dq,
             const float[:, ::1] ref_sci, const float[:, ::1] ref_err, const int16_t[:, ::1] ref_dq):
    """Subtract an image, in place: errors in quadrature, flags added."""
    same_shapes(sci, err, dq, ref_sci, ref_err, ref_dq)
    if sci.size:
        with nogil:
            cal_imarith_subtract(&sci[0, 0], &err[0, 0], &dq[0, 0], sci.shape[0] * sci.shape[1],
                                 &ref_sci[0, 0], &ref_err[0, 0], &ref_dq[0, 0])


def multiply(float[:, ::1] sci, float[:, ::1] err, int16_t[:, ::1] dq,
             const float[:, ::1] ref_sci, const float[:, ::1] ref_err, const int16_t[:, ::1] ref_dq):
    """Multiply by an image, in place: relative errors in quadrature, flags added."""
    same_shapes(sci, err, dq, ref_sci, ref_err, ref_dq)
    if sci.size:
        with nogil:
            cal_imarith_multiply(&sci[0, 0], &err[0, 0], &dq[0, 0], sci.shape[0] * sci.shape[1],
                                 &ref_sci[0, 0], &ref_err[0, 0], &ref_dq[0, 0])


def divide(float[:, ::1] sci, float[:, ::1] err, int16_t[:, ::1] dq,
           const float[:, ::1] ref_sci, const float[:, ::1] ref_err, const int16_t[:, ::1] ref_dq, int16_t zero_flag):
    """Divide by an image, in place; `zero_flag` is added where it is 0."""
    same_shapes(sci, err, dq, ref_sci, ref_err, ref_dq)
    if sci.size:
        with nogil:
            cal_imarith_divide(&sci[0, 0], &err[0, 0], &dq[0, 0], sci.shape[0] * sci.shape[1],
                               &ref_sci[0, 0], &ref_err[0, 0], &ref_dq[0, 0], zero_flag)


def square(float[:, ::1] err):
    """Turn errors into variances, in place."""
    if err.size:
        with nogil:
            cal_imarith_square(&err[0, 0], err.shape[0] * err.shape[1])


def sum(float[:, ::1] sci, float[:, ::1] var, int16_t[:, ::1] dq,
        const float[:, ::1] new_sci, const float[:, ::1] new_err, const int16_t[:, ::1] new_dq):
    """Add an image to a sum whose errors are variances, in place: flags are added too."""
    same_float_shape(sci, var)
    same_shape(sci, dq)
    same_float_shape(sci, new_sci)
    same_float_shape(sci, new_err)
    same_shape(sci, new_dq)
    if sci.size:
        with nogil:
            cal_imarith_sum(&sci[0, 0], &var[0, 0], &dq[0, 0], sci.shape[0] * sci.shape[1],
                            &new_sci[0, 0], &new_err[0, 0], &new_dq[0, 0])


def root(float[:, ::1] var):
    """Turn variances into errors, in place."""
    if var.size:
        with nogil:
            cal_imarith_root(&var[0, 0], var.shape[0] * var.shape[1])
