# The only place that declares the C core to Cython.
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int16_t

cdef extern from "calacs.h" nogil:
    int CAL_OK, CAL_NO_MEMORY, CAL_BAD_SIZE, CAL_BAD_VALUE, CAL_SINGULAR, CAL_NO_DATA
    const char *cal_status_text(int status)

    # numeric
    ctypedef struct cal_line:
        double slope
        double intercept
    int cal_median(double *value, ptrdiff_t n, double *median)
    int cal_line_fit(const double *value, const unsigned char *used, ptrdiff_t n, double first, double middle,
                     cal_line *fit)

    # blev
    ctypedef struct cal_section:
        ptrdiff_t first
        ptrdiff_t last
    ctypedef struct cal_blev_region:
        ptrdiff_t row_first, row_last, col_first, col_last
        cal_line line
        double line_middle
        double drift
        double drift_zero
    int cal_blev_rows(const float *sci, const int16_t *dq, ptrdiff_t n_row, ptrdiff_t n_col, int16_t bad_bits,
                      ptrdiff_t row, ptrdiff_t n_level, const cal_section *section, ptrdiff_t n_section,
                      double *level, unsigned char *used)
    int cal_blev_columns(const float *sci, const int16_t *dq, ptrdiff_t n_row, ptrdiff_t n_col, int16_t bad_bits,
                         ptrdiff_t column, ptrdiff_t n_level, cal_section lines, double *level, unsigned char *used)
    int cal_blev_clip(const double *level, unsigned char *used, ptrdiff_t n, float read_noise, ptrdiff_t *n_rejected)
    int cal_blev_subtract(float *sci, ptrdiff_t n_row, ptrdiff_t n_col, const cal_blev_region *region)


cdef int check(int status) except? -1
cdef int same_shape(const float[:, ::1] sci, const int16_t[:, ::1] dq) except -1
