/* cte_smooth.c -- the smoothest image that is the observed one within the read noise. */
#include <stdlib.h>
#include <string.h>

#include "cte_internal.h"

static double cte_clip(double value, double limit)
{
    return value > limit ? limit : value < -limit ? -limit : value;
}

/* The adjustment of one pixel before the step factor. */
static double cte_adjust(const float *observed, const float *smooth, ptrdiff_t n_col, ptrdiff_t n_row, ptrdiff_t col,
                         ptrdiff_t row, double noise)
{
    /* Neighboring columns in the order in which HSTCAL sums them. */
    static const int order[3] = {0, -1, 1};
    const double limit = noise * 0.33, noise_squared = noise * noise;
    const ptrdiff_t at = col * n_row + row;
    const double value = (double)smooth[at];
    const double own = (double)observed[at] - value;
    const double below = row > 0 ? (double)smooth[at - 1] - value : 0.0;
    const double above = row < n_row - 1 ? (double)smooth[at + 1] - value : 0.0;
    double block = 0.0;

    if (col > 0 && col < n_col - 1 && row > 0 && row < n_row - 1) {
        for (int i = 0; i < 3; ++i) {
            const ptrdiff_t near = at + order[i] * n_row;

            for (int j = -1; j <= 1; ++j)
                block = block + (double)observed[near + j] - (double)smooth[near + j];
        }
        block /= 9.0;
    }
    return cte_clip(own, 1.0) * (own * own / (own * own + 4.0 * noise_squared)) * 0.25 +
           cte_clip(block, limit) * (block * block / (block * block + 18.0 * noise_squared)) * 0.25 +
           cte_clip(below, limit) * (4.0 * noise_squared / (below * below + 4.0 * noise_squared)) * 0.25 +
           cte_clip(above, limit) * (4.0 * noise_squared / (above * above + 4.0 * noise_squared)) * 0.25;
}

int cal_cte_smooth(const float *observed, const float *start, ptrdiff_t n_col, ptrdiff_t n_row, ptrdiff_t col_first,
                   ptrdiff_t col_last, ptrdiff_t n_iteration, double read_noise, int isa, float *result,
                   double *square, double *count)
{
    const size_t bytes = sizeof(float) * (size_t)(n_col * n_row);
    float *from = malloc(bytes), *to = malloc(bytes);

    (void)isa;
    memcpy(from, start, bytes);
    memcpy(to, start, bytes);
    for (ptrdiff_t k = 0; k < n_iteration; ++k) {
        const ptrdiff_t halo = n_iteration - 1 - k;
        const ptrdiff_t first = col_first - halo > 0 ? col_first - halo : 0;
        const ptrdiff_t last = col_last + halo < n_col ? col_last + halo : n_col;
        float *swap;

        for (ptrdiff_t col = first; col < last; ++col) {
            double sum = 0.0, n = 0.0;

            for (ptrdiff_t row = 0; row < n_row; ++row) {
                const ptrdiff_t at = col * n_row + row;
                const float step = (float)cte_adjust(observed, from, n_col, n_row, col, row, read_noise);

                to[at] = (float)((double)from[at] + (double)step * 0.75);
                if (fabsf(observed[at]) > 0.1 || fabsf(to[at]) > 0.1) {
                    const float noise = observed[at] - to[at];

                    sum += (double)noise * (double)noise;
                    n += 1.0;
                }
            }
            if (col >= col_first && col < col_last) {
                square[k * n_col + col] = sum;
                count[k * n_col + col] = n;
            }
        }
        swap = from;
        from = to;
        to = swap;
    }
    memcpy(result + col_first * n_row, from + col_first * n_row, sizeof(float) * (size_t)((col_last - col_first) * n_row));
    free(from);
    free(to);
    return CAL_OK;
}

int cal_cte_smooth_rms(const float *observed, const float *smooth, ptrdiff_t n_col, ptrdiff_t n_row, double *square,
                       double *count)
{
    double sum = 0.0, n = 0.0;

    if (n_col < 0 || n_row < 0)
        return CAL_BAD_SIZE;
    for (ptrdiff_t at = 0; at < n_col * n_row; ++at) {
        if (fabsf(observed[at]) > 0.1 || fabsf(smooth[at]) > 0.1) {
            const float noise = observed[at] - smooth[at];

            sum += (double)noise * (double)noise;
            n += 1.0;
        }
    }
    *square = sum;
    *count = n;
    return CAL_OK;
}
