"""Status codes of the C core as Python exceptions, and what the wrappers share."""
from calacs.errors import KernelError


cdef int check(int status) except? -1:
    """Return notices (>= 0), raise errors (< 0)."""
    if status == CAL_NO_MEMORY:
        raise MemoryError("a kernel of calacs could not allocate its workspace")
    if status < 0:
        raise KernelError(status, cal_status_text(status).decode())
    return status


cdef int same_shape(const float[:, ::1] sci, const int16_t[:, ::1] dq) except -1:
    """Raise ValueError unless the two planes have the same shape."""
    if sci.shape[0] != dq.shape[0] or sci.shape[1] != dq.shape[1]:
        raise ValueError(
            f"planes of one image set must have one shape: ({sci.shape[0]}, {sci.shape[1]}) and ({dq.shape[0]}, {dq.shape[1]})")
    return 0


cdef int same_float_shape(const float[:, ::1] first, const float[:, ::1] second) except -1:
    """Raise ValueError unless the two planes have the same shape."""
    if first.shape[0] != second.shape[0] or first.shape[1] != second.shape[1]:
        raise ValueError(
            f"images must have one shape: ({first.shape[0]}, {first.shape[1]}) and ({second.shape[0]}, {second.shape[1]})")
    return 0


cdef int same_shapes(const float[:, ::1] sci, const float[:, ::1] err, const int16_t[:, ::1] dq,
                     const float[:, ::1] ref_sci, const float[:, ::1] ref_err, const int16_t[:, ::1] ref_dq) except -1:
    """Raise ValueError unless an image set and a reference image set all have the same shape."""
    same_float_shape(sci, err)
    same_shape(sci, dq)
    same_float_shape(sci, ref_sci)
    same_float_shape(sci, ref_err)
    same_shape(sci, ref_dq)
    return 0


cdef cal_quadrants quadrants_of(object value) except *:
    """C form of `calacs.detector.Quadrants`."""
    cdef cal_quadrants quadrants
    quadrants.row, quadrants.col = value.row, value.col
    for i in range(4):
        quadrants.value[i] = value.values[i]
    return quadrants


def compiler():
    """Name and version of the compiler that made the C core."""
    return cal_compiler().decode()
