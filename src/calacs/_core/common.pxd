# The only place that declares the C core to Cython.
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int16_t, int32_t

cdef extern from "calacs.h" nogil:
    int CAL_OK, CAL_NO_MEMORY, CAL_BAD_SIZE, CAL_BAD_VALUE, CAL_SINGULAR, CAL_NO_DATA
    const char *cal_status_text(int status)
    const char *cal_compiler()

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

    # cte
    int CAL_CTE_AUTO, CAL_CTE_SCALAR, CAL_CTE_BASELINE, CAL_CTE_AVX2, CAL_CTE_AVX512
    ctypedef struct cal_cte_model:
        ptrdiff_t n_level, n_tail
        const double *charge
        const double *capture
        const float *release
        const float *held
        ptrdiff_t n_transfer, n_iteration
        double read_noise
        int fix_cosmic_rays
        double oversubtraction
    ctypedef struct cal_cte_plan:
        pass
    int cal_cte_isa(int isa)
    ptrdiff_t cal_cte_plan_size(ptrdiff_t n_level, ptrdiff_t n_tail)
    int cal_cte_plan_make(const cal_cte_model *model, int isa, cal_cte_plan *plan)
    int cal_cte_traps(const int32_t *index, const double *node, ptrdiff_t n_entry, ptrdiff_t first, double fraction,
                      ptrdiff_t n_col, ptrdiff_t n_row, float *traps, unsigned char *covered)
    int cal_cte_smooth(const float *observed, const float *start, ptrdiff_t n_col, ptrdiff_t n_row,
                       ptrdiff_t col_first, ptrdiff_t col_last, ptrdiff_t n_iteration, double read_noise, int isa,
                       float *result, double *square, double *count)
    int cal_cte_smooth_rms(const float *observed, const float *smooth, ptrdiff_t n_col, ptrdiff_t n_row,
                           double *square, double *count)
    int cal_cte_forward(const cal_cte_plan *plan, const float *image, const float *traps, ptrdiff_t n_col,
                        ptrdiff_t n_row, float *result)
    int cal_cte_inverse(const cal_cte_plan *plan, const float *image, const float *traps, ptrdiff_t n_col,
                        ptrdiff_t n_row, float *result, int32_t *n_run)
    int cal_cte_gather(const float *plane, ptrdiff_t n_col, ptrdiff_t n_row, ptrdiff_t col_step, ptrdiff_t row_step,
                       float *image)
    int cal_cte_combine(const float *restored, const float *smooth, ptrdiff_t n_col, ptrdiff_t n_row,
                        ptrdiff_t col_step, ptrdiff_t row_step, float *sci, float *err)

    # biasshift, crosstalk, destripe
    int CAL_BIASSHIFT_ROWS, CAL_BIAS_COLUMNS
    int cal_biasshift_correct(float *sci, ptrdiff_t n_row, ptrdiff_t n_col, ptrdiff_t n_amp_col, const int *amp,
                              ptrdiff_t n_amp, double *level)
    int cal_crosstalk_correct(float *sci, ptrdiff_t n_row, ptrdiff_t n_col)
    int cal_destripe_measure(const float *sci, ptrdiff_t n_row, ptrdiff_t n_col, int amp, double *column_mean,
                             double *level, double *row_mean, unsigned char *good)
    int cal_destripe_subtract(float *sci, ptrdiff_t n_row, ptrdiff_t n_col, int amp, const double *column_mean,
                              double level, const double *stripe)

    # dqi, satur, sink
    ptrdiff_t cal_dqi_flag_above(const float *sci, int16_t *dq, ptrdiff_t n, float level, int16_t flag)
    int cal_dqi_flag_runs(int16_t *dq, ptrdiff_t n_row, ptrdiff_t n_col, const int32_t *run, ptrdiff_t n_run,
                          double offset_x, double offset_y)
    int cal_satur_flag(const float *sci, int16_t *dq, const float *level, ptrdiff_t n_row, ptrdiff_t n_col,
                       ptrdiff_t row_first, ptrdiff_t row_last, ptrdiff_t col_first, ptrdiff_t col_last, int16_t flag,
                       ptrdiff_t *n_flagged)
    ptrdiff_t cal_sink_flag(const float *sci, int16_t *dq, const float *map, ptrdiff_t n_row, ptrdiff_t n_col, int upward,
                            int16_t flag, unsigned char *trailing, float *sink)

    # nonlin, dark, flash, spot, shad, stat
    ctypedef struct cal_dark_mean:
        double sum
        ptrdiff_t count
    ctypedef struct cal_flash_mean:
        float sum
        float weight
    ctypedef struct cal_shad_binned:
        const float *sci
        const float *err
        const int16_t *dq
        ptrdiff_t n_row, n_col, x, y
    ctypedef struct cal_stat_range:
        double sum, min, max
    ctypedef struct cal_stat_image:
        ptrdiff_t n_good, n_no_error
        cal_stat_range sci, err, snr
    double cal_nonlin_ratio(double rate, double tau)
    int cal_nonlin_flag(const float *sci, int16_t *dq, ptrdiff_t n_row, ptrdiff_t n_col, double limit, float radius,
                        int16_t flag, ptrdiff_t *n_above)
    void cal_dark_subtract(float *sci, float *err, int16_t *dq, ptrdiff_t n, const float *ref_sci, const float *ref_err,
                           const int16_t *ref_dq, float factor, int16_t bad_bits, cal_dark_mean *mean)
    void cal_flash_subtract(float *sci, float *err, int16_t *dq, ptrdiff_t n_row, ptrdiff_t n_col,
                            const float *ref_sci, const float *ref_err, const int16_t *ref_dq, float factor,
                            int16_t bad_bits, cal_flash_mean *mean)
    int cal_spot_shift(const float *spot, ptrdiff_t n_row, ptrdiff_t n_col, float shift_x, float shift_y,
                       ptrdiff_t row_first, ptrdiff_t row_last, float *sci, float *err)
    int cal_shad_expand(const cal_shad_binned *binned, ptrdiff_t row_first, ptrdiff_t row_last, ptrdiff_t col_first,
                        ptrdiff_t col_last, float *sci, float *err, int16_t *dq)
    void cal_shad_divisor(float *sci, float *err, ptrdiff_t n, float rate)
    void cal_stat_add(const float *sci, const float *err, const int16_t *dq, ptrdiff_t n, int16_t bad_bits,
                      cal_stat_image *stat)

    # crrej
    ctypedef struct cal_crrej_range:
        float lowest, sum
        ptrdiff_t count
    ctypedef struct cal_crrej_bins:
        float low, width
        int32_t n_bin
    ctypedef struct cal_crrej_image:
        const float *sci
        const float *err
        const int16_t *dq
        float time, sky
    ctypedef struct cal_crrej_rule:
        float sigma2, scale, spread2, radius2
        ptrdiff_t width
        int16_t bad_bits
    void cal_crrej_range_add(const float *sci, const int16_t *dq, ptrdiff_t n, int16_t bad_bits, cal_crrej_range *range)
    int cal_crrej_bins_of(const cal_crrej_range *range, cal_crrej_bins *bins)
    int cal_crrej_histogram(const float *sci, const int16_t *dq, ptrdiff_t n, const cal_crrej_bins *bins, int32_t *count)
    int cal_crrej_mode(const int32_t *count, const cal_crrej_bins *bins, float *mode)
    int cal_crrej_minimum(const cal_crrej_image *image, ptrdiff_t n_image, ptrdiff_t n, int16_t bad_bits, float *guess)
    int cal_crrej_median(const cal_crrej_image *image, ptrdiff_t n_image, ptrdiff_t n, int16_t bad_bits, float *guess)
    int cal_crrej_scan(const cal_crrej_image *image, const cal_crrej_rule *rule, const float *guess, const float *shade,
                       ptrdiff_t n_row, ptrdiff_t n_scan, ptrdiff_t n_col, int16_t *mask, int16_t *raw)
    void cal_crrej_accumulate(const cal_crrej_image *image, const int16_t *mask, int16_t left_out, ptrdiff_t n,
                              float *sum, float *time, float *square)
    ptrdiff_t cal_crrej_merge(const int16_t *mask, const int16_t *raw, ptrdiff_t n_row, ptrdiff_t n_col, int16_t flag,
                              int16_t *seen, int16_t *dq, unsigned char *hit)
    void cal_crrej_average(const float *sum, const float *time, const float *shade, ptrdiff_t n, float *guess)
    void cal_crrej_finish(const float *sum, const float *time, const float *square, const float *shade, ptrdiff_t n,
                          float total, float sky, float *sci, float *err)

    # imarith, noise
    ctypedef struct cal_quadrants:
        ptrdiff_t row, col
        float value[4]
    int cal_imarith_crop(unsigned char *image, ptrdiff_t n_row, ptrdiff_t n_byte, ptrdiff_t row_first,
                         ptrdiff_t row_last, ptrdiff_t byte_first, ptrdiff_t byte_last)
    int cal_imarith_gain(float *sci, float *err, ptrdiff_t n_row, ptrdiff_t n_col, const cal_quadrants *gain)
    void cal_imarith_subtract(float *sci, float *err, int16_t *dq, ptrdiff_t n,
                              const float *ref_sci, const float *ref_err, const int16_t *ref_dq)
    void cal_imarith_scale(float *sci, float *err, ptrdiff_t n, float factor)
    void cal_imarith_multiply(float *sci, float *err, int16_t *dq, ptrdiff_t n,
                              const float *ref_sci, const float *ref_err, const int16_t *ref_dq)
    void cal_imarith_divide(float *sci, float *err, int16_t *dq, ptrdiff_t n,
                            const float *ref_sci, const float *ref_err, const int16_t *ref_dq, int16_t zero_flag)
    void cal_imarith_square(float *err, ptrdiff_t n)
    void cal_imarith_sum(float *sci, float *var, int16_t *dq, ptrdiff_t n,
                         const float *new_sci, const float *new_err, const int16_t *new_dq)
    void cal_imarith_root(float *var, ptrdiff_t n)
    int cal_noise_ccd(const float *sci, float *err, ptrdiff_t n_row, ptrdiff_t n_col, const cal_quadrants *read_noise,
                      int bias)
    int cal_noise_is_blank(const float *err, ptrdiff_t n)
    ptrdiff_t cal_noise_counts(const float *sci, float *err, ptrdiff_t n)


cdef int check(int status) except? -1
cdef int same_shape(const float[:, ::1] sci, const int16_t[:, ::1] dq) except -1
cdef int same_float_shape(const float[:, ::1] first, const float[:, ::1] second) except -1
cdef cal_quadrants quadrants_of(object value) except *
cdef int same_shapes(const float[:, ::1] sci, const float[:, ::1] err, const int16_t[:, ::1] dq,
                     const float[:, ::1] ref_sci, const float[:, ::1] ref_err, const int16_t[:, ::1] ref_dq) except -1
