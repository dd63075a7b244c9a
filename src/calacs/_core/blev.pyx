"""Bias level from the overscan: wrappers of csrc/blev.c."""
import numpy as np

from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int16_t

from calacs._core.common cimport (
    CAL_OK, cal_blev_clip, cal_blev_columns, cal_blev_region, cal_blev_rows, cal_blev_subtract, cal_line,
    cal_line_fit, cal_section, check, same_shape)


def rows(const float[:, ::1] sci, const int16_t[:, ::1] dq, int16_t bad_bits, ptrdiff_t row, ptrdiff_t n_level, sections):
    """Median level of each line over the overscan sections: (level, used)."""
    cdef cal_section section[2]
    cdef ptrdiff_t n_section = len(sections)
    cdef double[::1] level = np.zeros(max(n_level, 0))
    cdef unsigned char[::1] used = np.zeros(max(n_level, 0), np.uint8)
    cdef int status
    same_shape(sci, dq)
    if n_section > 2:
        raise ValueError(f"at most 2 overscan sections, got {n_section}")
    for i, (first, last) in enumerate(sections):
        section[i] = cal_section(first, last)
    if n_level > 0:
        with nogil:
            status = cal_blev_rows(&sci[0, 0], &dq[0, 0], sci.shape[0], sci.shape[1], bad_bits, row, n_level,
                                   section, n_section, &level[0], &used[0])
        check(status)
    return np.asarray(level), np.asarray(used)


def columns(const float[:, ::1] sci, const int16_t[:, ::1] dq, int16_t bad_bits, ptrdiff_t column, ptrdiff_t n_level, lines):
    """Median level of each column over the lines of the virtual overscan: (level, used)."""
    cdef cal_section line = cal_section(lines[0], lines[1])
    cdef double[::1] level = np.zeros(max(n_level, 0))
    cdef unsigned char[::1] used = np.zeros(max(n_level, 0), np.uint8)
    cdef int status
    same_shape(sci, dq)
    if n_level > 0:
        with nogil:
            status = cal_blev_columns(&sci[0, 0], &dq[0, 0], sci.shape[0], sci.shape[1], bad_bits, column, n_level,
                                      line, &level[0], &used[0])
        check(status)
    return np.asarray(level), np.asarray(used)


def clip(const double[::1] level, unsigned char[::1] used, float read_noise):
    """Clear `used` where the level is an outlier; the number rejected."""
    cdef ptrdiff_t n_rejected = 0
    if level.shape[0] != used.shape[0]:
        raise ValueError(f"level has {level.shape[0]} lines, used has {used.shape[0]}")
    if level.shape[0] > 0:
        with nogil:
            cal_blev_clip(&level[0], &used[0], level.shape[0], read_noise, &n_rejected)
    return n_rejected


def fit_line(const double[::1] value, const unsigned char[::1] used, double first, double middle):
    """(slope, intercept) through the used values, or None where there is no unique line."""
    cdef cal_line line
    cdef int status
    if value.shape[0] != used.shape[0]:
        raise ValueError(f"value has {value.shape[0]} elements, used has {used.shape[0]}")
    if value.shape[0] == 0:
        return None
    with nogil:
        status = cal_line_fit(&value[0], &used[0], value.shape[0], first, middle, &line)
    return (line.slope, line.intercept) if check(status) == CAL_OK else None


def subtract(float[:, ::1] sci, rows, cols, line, double line_middle, double drift, double drift_zero):
    """Subtract level and drift from the region rows x cols (half-open), in place."""
    cdef cal_blev_region region
    cdef int status
    region.row_first, region.row_last = rows
    region.col_first, region.col_last = cols
    region.line.slope, region.line.intercept = line
    region.line_middle = line_middle
    region.drift = drift
    region.drift_zero = drift_zero
    with nogil:
        status = cal_blev_subtract(&sci[0, 0], sci.shape[0], sci.shape[1], &region)
    check(status)
