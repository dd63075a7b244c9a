/* Ghosts that the signal of one WFC amplifier leaves in the other one of the same chip. */
#include "internal.h"

static const double CROSSTALK = 9.1e-5; /* HSTCAL acsccd/blev_funcs_postsm4.c */

int cal_crosstalk_correct(float *sci, ptrdiff_t n_row, ptrdiff_t n_col)
{
    if (n_row < 0 || n_col < 0) return CAL_BAD_SIZE;
    for (ptrdiff_t row = 0; row < n_row; row++) {
        float *line = sci + row * n_col;
        for (ptrdiff_t col = 0; col < n_col; col++) line[col] += (float)((double)line[n_col - 1 - col] * CROSSTALK);
    }
    return CAL_OK;
}
