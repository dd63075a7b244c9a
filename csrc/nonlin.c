/* Counting losses of the SBC. */
#include "internal.h"

enum { NEWTON_STEPS = 3 };

double cal_nonlin_ratio(double rate, double tau)
{
    double true_rate = rate;

    if (rate <= 0.0) return 1.0;
    for (int step = 0; step < NEWTON_STEPS; step++) {
        double live = exp(-tau * true_rate);
        double missing = rate - true_rate * live;

        true_rate += missing / ((1.0 - tau * true_rate) * live);
    }
    return true_rate / rate;
}

static ptrdiff_t smaller(ptrdiff_t a, ptrdiff_t b)
{
    return a < b ? a : b;
}

int cal_nonlin_flag(const float *sci, int16_t *dq, ptrdiff_t n_row, ptrdiff_t n_col, double limit, float radius,
                    int16_t flag, ptrdiff_t *n_above)
{
    int reach = cal_truncate((double)radius + 0.5);
    float square = radius * radius;

    *n_above = 0;
    if (n_row < 0 || n_col < 0) return CAL_BAD_SIZE;
    if (reach == INT_MIN) return CAL_BAD_VALUE;
    for (ptrdiff_t row = 0; row < n_row; row++) {
        for (ptrdiff_t col = 0; col < n_col; col++) {
            if (!((double)sci[row * n_col + col] > limit)) continue;
            *n_above += 1;
            for (ptrdiff_t y = -smaller(reach, row); y <= smaller(reach, n_row - 1 - row); y++) {
                int16_t *line = dq + (row + y) * n_col + col;

                for (ptrdiff_t x = -smaller(reach, col); x <= smaller(reach, n_col - 1 - col); x++)
                    if ((float)(x * x + y * y) <= square) line[x] = (int16_t)(line[x] | flag);
            }
        }
    }
    return CAL_OK;
}
