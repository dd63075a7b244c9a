/* Full-well saturation. */
#include "internal.h"

int cal_satur_flag(const float *sci, int16_t *dq, const float *level, ptrdiff_t n_row, ptrdiff_t n_col,
                   ptrdiff_t row_first, ptrdiff_t row_last, ptrdiff_t col_first, ptrdiff_t col_last, int16_t flag,
                   ptrdiff_t *n_flagged)
{
    *n_flagged = 0;
    if (!cal_inside(row_first, row_last, n_row) || !cal_inside(col_first, col_last, n_col)) return CAL_BAD_SIZE;
    for (ptrdiff_t row = row_first; row < row_last; row++) {
        const ptrdiff_t first = row * n_col + col_first, last = row * n_col + col_last;
        int n_above = 0;

        /* Pixels are rarely that bright: most flags are not even looked at. */
        for (ptrdiff_t i = first; i < last; i++) n_above += sci[i] > level[i];
        if (n_above == 0) continue;
        for (ptrdiff_t i = first; i < last; i++)
            if (sci[i] > level[i]) dq[i] = (int16_t)(dq[i] | flag);
        *n_flagged += n_above;
    }
    return CAL_OK;
}
