"""Data-quality flags: wrappers of csrc/dqi.c."""
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int16_t, int32_t

from calacs._core.common cimport cal_dqi_flag_above, cal_dqi_flag_runs, check, same_shape


def flag_above(const float[:, ::1] sci, int16_t[:, ::1] dq, float level, int16_t flag):
    """Add `flag` where sci >= level, in place; the number of these pixels."""
    cdef ptrdiff_t n_flagged = 0
    same_shape(sci, dq)
    if sci.size:
        with nogil:
            n_flagged = cal_dqi_flag_above(&sci[0, 0], &dq[0, 0], sci.shape[0] * sci.shape[1], level, flag)
    return n_flagged


def flag_runs(int16_t[:, ::1] dq, const int32_t[:, ::1] run, double offset_x, double offset_y):
    """Add the flags of runs of bad pixels, in place."""
    cdef int status
    if run.shape[1] != 5:
        raise ValueError(f"a run has 5 numbers, not {run.shape[1]}")
    if dq.size == 0 or run.size == 0:
        return
    with nogil:
        status = cal_dqi_flag_runs(&dq[0, 0], dq.shape[0], dq.shape[1], &run[0, 0], run.shape[0], offset_x, offset_y)
    check(status)
