/* Bias level measured in the overscan. */
#include <stdlib.h>

#include "internal.h"

static int usable(int16_t dq, int16_t bad_bits)
{
    return (dq & bad_bits) == 0;
}

int cal_blev_rows(const float *sci, const int16_t *dq, ptrdiff_t n_row, ptrdiff_t n_col, int16_t bad_bits,
                  ptrdiff_t row, ptrdiff_t n_level, const cal_section *section, ptrdiff_t n_section,
                  double *level, unsigned char *used)
{
    ptrdiff_t width = 0;
    double *pixel;

    if (!cal_inside(row, row + n_level, n_row)) return CAL_BAD_SIZE;
    for (ptrdiff_t s = 0; s < n_section; s++) {
        if (section[s].last < section[s].first) continue;
        if (!cal_inside(section[s].first, section[s].last + 1, n_col)) return CAL_BAD_SIZE;
        width += section[s].last - section[s].first + 1;
    }
    pixel = malloc((size_t)(width > 0 ? width : 1) * sizeof *pixel);
    if (pixel == NULL) return CAL_NO_MEMORY;

    for (ptrdiff_t i = 0; i < n_level; i++) {
        const float *line = sci + (row + i) * n_col;
        const int16_t *flag = dq + (row + i) * n_col;
        ptrdiff_t n = 0;

        for (ptrdiff_t s = 0; s < n_section; s++)
            for (ptrdiff_t col = section[s].first; col <= section[s].last; col++)
                if (usable(flag[col], bad_bits)) pixel[n++] = (double)line[col];
        used[i] = cal_median(pixel, n, &level[i]) == CAL_OK;
    }
    free(pixel);
    return CAL_OK;
}

int cal_blev_columns(const float *sci, const int16_t *dq, ptrdiff_t n_row, ptrdiff_t n_col, int16_t bad_bits,
                     ptrdiff_t column, ptrdiff_t n_level, cal_section lines, double *level, unsigned char *used)
{
    double *pixel;

    if (!cal_inside(column, column + n_level, n_col)) return CAL_BAD_SIZE;
    if (!cal_inside(lines.first, lines.last + 1, n_row)) return CAL_BAD_SIZE;
    pixel = malloc((size_t)(lines.last - lines.first + 2) * sizeof *pixel);
    if (pixel == NULL) return CAL_NO_MEMORY;

    for (ptrdiff_t i = 0; i < n_level; i++) {
        ptrdiff_t n = 0;

        for (ptrdiff_t row = lines.first; row <= lines.last; row++)
            if (usable(dq[row * n_col + column + i], bad_bits)) pixel[n++] = (double)sci[row * n_col + column + i];
        used[i] = cal_median(pixel, n, &level[i]) == CAL_OK;
    }
    free(pixel);
    return CAL_OK;
}

static double mean_of_used(const double *level, const unsigned char *used, ptrdiff_t n, ptrdiff_t *n_used)
{
    double sum = 0.0;

    *n_used = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        if (!used[i]) continue;
        sum += level[i];
        *n_used += 1;
    }
    return sum / (double)*n_used;
}

static ptrdiff_t reject_above(const double *level, unsigned char *used, ptrdiff_t n, double threshold)
{
    /* PARITY: the official program passes the threshold through the integer function abs().  When it is not finite
     * the conversion gives INT_MIN, whose absolute value is itself: every line is rejected. */
    int limit = cal_truncate(threshold);
    ptrdiff_t n_rejected = 0;

    if (limit < 0 && limit != INT_MIN) limit = -limit;
    for (ptrdiff_t i = 0; i < n; i++) {
        if (level[i] > (double)limit) {
            used[i] = 0;
            n_rejected++;
        }
    }
    return n_rejected;
}

int cal_blev_clip(const double *level, unsigned char *used, ptrdiff_t n, float read_noise, ptrdiff_t *n_rejected)
{
    const float clip = 3.0F;
    ptrdiff_t n_used;
    double mean = mean_of_used(level, used, n, &n_used);
    double variance = 0.0, sigma;

    *n_rejected = 0;
    if (n_used == 0) return CAL_NO_DATA;
    for (ptrdiff_t i = 0; i < n; i++)
        if (used[i]) variance += (level[i] - mean) * (level[i] - mean);
    sigma = sqrt(variance / (double)(n_used - 1));
    /* A cosmic ray or bleeding in the overscan must not widen the cut beyond the Poisson noise of the mean. */
    if (sigma > sqrt(mean)) sigma = sqrt(mean);
    *n_rejected = reject_above(level, used, n, (double)clip * sigma + mean);

    mean = mean_of_used(level, used, n, &n_used);
    *n_rejected += reject_above(level, used, n, (double)(clip * read_noise) + mean);
    return CAL_OK;
}

int cal_blev_subtract(float *sci, ptrdiff_t n_row, ptrdiff_t n_col, const cal_blev_region *region)
{
    if (!cal_inside(region->row_first, region->row_last, n_row)) return CAL_BAD_SIZE;
    if (!cal_inside(region->col_first, region->col_last, n_col)) return CAL_BAD_SIZE;
    for (ptrdiff_t row = region->row_first; row < region->row_last; row++) {
        float *line = sci + row * n_col;
        double level = ((double)row - region->line_middle) * region->line.slope + region->line.intercept;

        for (ptrdiff_t col = region->col_first; col < region->col_last; col++) {
            double drift = ((double)col - region->drift_zero) * region->drift;
            line[col] = (float)((double)line[col] - level - drift);
        }
    }
    return CAL_OK;
}
