/* Data-quality flags of single pixels. */
#include "internal.h"

enum { CHUNK = 256 };

ptrdiff_t cal_dqi_flag_above(const float *sci, int16_t *dq, ptrdiff_t n, float level, int16_t flag)
{
    ptrdiff_t n_flagged = 0;

    for (ptrdiff_t first = 0; first < n; first += CHUNK) {
        const ptrdiff_t last = n - first < CHUNK ? n : first + CHUNK;
        int n_above = 0;

        /* Pixels are rarely that bright: most flags are not even looked at. */
        for (ptrdiff_t i = first; i < last; i++) n_above += sci[i] >= level;
        if (n_above == 0) continue;
        for (ptrdiff_t i = first; i < last; i++)
            if (sci[i] >= level) dq[i] = (int16_t)(dq[i] | flag);
        n_flagged += n_above;
    }
    return n_flagged;
}

static ptrdiff_t clip_to(ptrdiff_t value, ptrdiff_t low, ptrdiff_t high)
{
    return value < low ? low : value > high ? high : value;
}

int cal_dqi_flag_runs(int16_t *dq, ptrdiff_t n_row, ptrdiff_t n_col, const int32_t *run, ptrdiff_t n_run,
                      double offset_x, double offset_y)
{
    for (ptrdiff_t r = 0; r < n_run; r++, run += 5) {
        ptrdiff_t col = cal_truncate((double)(run[0] - 1) + offset_x);
        ptrdiff_t row = cal_truncate((double)(run[1] - 1) + offset_y);
        ptrdiff_t length = run[2];
        int16_t flag = (int16_t)run[4];

        if (length < 1 || (run[3] != 1 && run[3] != 2)) return CAL_BAD_VALUE;
        if (run[3] == 1) {
            if (row < 0 || row >= n_row) continue;
            for (ptrdiff_t i = clip_to(col, 0, n_col); i < clip_to(col + length, 0, n_col); i++)
                dq[row * n_col + i] = (int16_t)(dq[row * n_col + i] | flag);
        } else {
            if (col < 0 || col >= n_col) continue;
            for (ptrdiff_t i = clip_to(row, 0, n_row); i < clip_to(row + length, 0, n_row); i++)
                dq[i * n_col + col] = (int16_t)(dq[i * n_col + col] | flag);
        }
    }
    return CAL_OK;
}
