/* Ghosts that the signal of one WFC amplifier leaves in the other one of the same chip. */
#include "internal.h"

static const double CROSSTALK = 9.1e-5; /* HSTCAL acsccd/blev_funcs_postsm4.c */

/* target += CROSSTALK * source, the latter read backwards; the two do not overlap. */
static void add_mirrored(float *CAL_RESTRICT target, const float *CAL_RESTRICT source, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++) target[i] += (float)((double)source[n - 1 - i] * CROSSTALK);
}

int cal_crosstalk_correct(float *sci, ptrdiff_t n_row, ptrdiff_t n_col)
{
    const ptrdiff_t half = n_col / 2, rest = n_col - half;

    if (n_row < 0 || n_col < 0) return CAL_BAD_SIZE;
    for (ptrdiff_t row = 0; row < n_row; row++) {
        float *line = sci + row * n_col;

        add_mirrored(line, line + rest, half);
        /* The middle pixel of an odd number of columns is its own neighbor. */
        if (rest > half) line[half] += (float)((double)line[half] * CROSSTALK);
        add_mirrored(line + rest, line, half);
    }
    return CAL_OK;
}
