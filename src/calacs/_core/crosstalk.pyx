"""Cross-talk correction: wrapper of csrc/crosstalk.c."""

from calacs._core.common cimport cal_crosstalk_correct, check


def correct(float[:, ::1] sci):
    """Correct a chip in place."""
    cdef int status
    if sci.size == 0:
        return
    with nogil:
        status = cal_crosstalk_correct(&sci[0, 0], sci.shape[0], sci.shape[1])
    check(status)
