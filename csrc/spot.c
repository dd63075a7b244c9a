/* Coronagraphic spots. */
#include "internal.h"

/* Pixel of the flat image; what lies beyond its end is taken from the last row.
 * PARITY: the very first one beyond, upper right of the last pixel of the last row but one, is 0: that is what the official
 * program finds after the end of its array. */
static float pixel(const float *spot, ptrdiff_t n_row, ptrdiff_t n_col, ptrdiff_t i)
{
    if (i == n_row * n_col) return 0.0F;
    while (i >= n_row * n_col) i -= n_col;
    return spot[i];
}

int cal_spot_shift(const float *spot, ptrdiff_t n_row, ptrdiff_t n_col, float shift_x, float shift_y,
                   ptrdiff_t row_first, ptrdiff_t row_last, float *sci, float *err)
{
    float width = (float)n_col, height = (float)n_row;

    if (!cal_inside(row_first, row_last, n_row)) return CAL_BAD_SIZE;
    for (ptrdiff_t row = row_first; row < row_last; row++) {
        float *value = sci + (row - row_first) * n_col, *sigma = err + (row - row_first) * n_col;
        float y = (float)row - shift_y;

        for (ptrdiff_t col = 0; col < n_col; col++) {
            float x = -shift_x + (float)col;
            ptrdiff_t i;
            float right, left, upper, lower;

            value[col] = sigma[col] = 1.0F;
            if (!(0.0F <= x && x < width && 0.0F <= y && y < height)) continue;
            i = (ptrdiff_t)y * n_col + (ptrdiff_t)x;
            right = x - (float)(ptrdiff_t)x;
            upper = y - (float)(ptrdiff_t)y;
            left = (float)(1.0 - (double)right);
            lower = (float)(1.0 - (double)upper);
            value[col] = left * lower * spot[i] + right * lower * pixel(spot, n_row, n_col, i + 1) +
                         upper * left * pixel(spot, n_row, n_col, i + n_col) +
                         right * upper * pixel(spot, n_row, n_col, i + n_col + 1);
            sigma[col] = sqrtf(value[col]);
        }
    }
    return CAL_OK;
}
